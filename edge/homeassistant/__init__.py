"""Home Assistant: one table of entities, and the messages that announce them."""
