"""Record what the sensor observes, never pictures, and play recordings through the rules again."""
