"""Invented receipts, drawn, with what is printed on them known exactly."""
