"""The cursor that describes the columns of a result where somebody asks: what it says is what psycopg says."""

import psycopg
from postgresql_server import PostgreSQLServer

from kassa.store.cursors import LazyCursor


def test_the_columns_of_a_result_are_those_that_psycopg_tells_of(postgresql_server: PostgreSQLServer) -> None:
    with (
        postgresql_server.database() as url,
        psycopg.connect(url, cursor_factory=LazyCursor) as lazy,
        psycopg.connect(url) as usual,
    ):
        for statement in ("SELECT 1 AS one, 'two' AS two, now() AS three", "SELECT", "SELECT 1 AS one WHERE false"):
            described, expected = lazy.execute(statement).description, usual.execute(statement).description
            assert expected is not None
            assert [tuple(column) for column in described] == [tuple(column) for column in expected], statement
            assert (len(described), list(described[:1])) == (len(expected), list(described)[:1])


def test_a_statement_without_a_result_has_no_columns(postgresql_server: PostgreSQLServer) -> None:
    with postgresql_server.database() as url, psycopg.connect(url, cursor_factory=LazyCursor) as connection:
        assert connection.cursor().description is None
        assert connection.execute("CREATE TABLE things (id integer)").description is None
        assert connection.execute("INSERT INTO things VALUES (1)").description is None
        assert connection.execute("INSERT INTO things VALUES (2) RETURNING id").description[0].name == "id"
