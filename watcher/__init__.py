"""Deposit watcher: knows invoices, and names no chain."""
