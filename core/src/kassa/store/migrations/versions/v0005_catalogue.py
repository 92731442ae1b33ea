"""Which carts a shopper fills from the catalogue; those that are there count as priced by the shop."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add it."""
    op.add_column("carts", sa.Column("is_of_catalogue", sa.Boolean(), server_default=sa.false(), nullable=False))
