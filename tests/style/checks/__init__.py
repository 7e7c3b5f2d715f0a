"""The checks: each takes a Tree and returns what is wrong, one line a violation."""
