"""What is known of a delivery: the ledger of its tries, the outcome of each contact, the receipt."""
