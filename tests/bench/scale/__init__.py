"""What grows with the traffic: the number of logs, and of machines (docs/scaling.md)."""
