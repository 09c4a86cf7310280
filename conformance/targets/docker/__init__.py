"""Real qmail in a pod of two containers: images, containers, and the channel into them."""
