"""How to bring a qmail up: names of targets, and the pods behind them."""
