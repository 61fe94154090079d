"""What all rooms share: events and their contract, the ledger of rows, arrays, tokens, errors."""
