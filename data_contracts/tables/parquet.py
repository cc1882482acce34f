"""A table as Parquet bytes, which name the contract that they were written under."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.errors import ContractViolation
from data_contracts.tables.table import TableContract

_NAME_FIELD = b"encounter.contract"
_VERSION_FIELD = b"encounter.contract_version"


def table_to_bytes(frame: pd.DataFrame, contract: TableContract) -> bytes:
    """A table as Parquet with the contract's name and version; columns the contract does not name
    are left out.
    """
    table = pa.Table.from_pandas(contract.shape(frame), preserve_index=False)
    marks = {_NAME_FIELD: contract.name.encode(), _VERSION_FIELD: str(contract.version).encode()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **marks})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def table_from_bytes(data: bytes, contract: TableContract, where: str) -> pd.DataFrame:
    """The table again. Raises ContractViolation where the file names another contract or version,
    or is not Parquet.
    """
    try:
        table = pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise ContractViolation(
            f"{where}: expected Parquet, {str(error).splitlines()[0]}"
        ) from None
    marks = table.schema.metadata or {}
    found = f"{marks.get(_NAME_FIELD, b'?').decode()} v{marks.get(_VERSION_FIELD, b'?').decode()}"
    if found != f"{contract.name} v{contract.version}":
        raise ContractViolation(
            f"{where}: expected {contract.name} v{contract.version}, got {found}: run the stage "
            "again"
        )
    return contract.shape(table.to_pandas())
