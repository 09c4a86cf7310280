"""What runs in the internet container of a pod that is measured: a program of its own, and its processes."""
