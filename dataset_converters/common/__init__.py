"""What all packages share: sources and their options, the ledger of rows, arrays, tokens, errors."""
