"""The closed world around a target: protocols pure, octets in and out; sockets apart from them."""
