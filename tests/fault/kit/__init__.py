"""What fault tests share: a network that can be broken, the load, and the table of what was measured."""
