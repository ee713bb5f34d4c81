"""Rules derive events and states from observed people, one file per rule. A rule does no I/O and reads no clock."""
