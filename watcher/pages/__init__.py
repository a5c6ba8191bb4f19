"""The pages for people: what a payer sees of an invoice, and the merchant's dashboard."""
