"""What system tests share: processes, sockets, metrics."""
