"""The database: tables, statements, transactions, migrations.  One module for each noun, every function takes a connection.

Statements are built once, at import: building them for each call costs half of the throughput.
"""
