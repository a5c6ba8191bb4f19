"""The HTTP API: reads the ledger, and writes facts into it. Decides no status."""
