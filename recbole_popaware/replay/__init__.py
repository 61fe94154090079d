"""What a listener's history says about every item: counts, record, order, and spreading to what is new."""
