import { open } from 'node:fs/promises'
import bindings from '@duckdb/node-bindings'
import type { DuckDBConnection } from '@duckdb/node-api'
import { NativeWriter, type NativeColumn } from '../../core/scuba/clickhouse/native.ts'
import type { EngineRequest, NativeHead } from '../../core/scuba/engine-protocol.ts'
import { stream } from './engine-stream.ts'

/** Written to the file as soon as there is so much. */
const PIECE_BYTES = 4 * 1024 * 1024

/**
 * Writes a statement's rows to a file in ClickHouse's format Native, bit by bit as the engine has them; no more of them is in memory than
 * a few blocks.
 * @param head its columns as ClickHouse has them, in their order
 * @returns how many rows there were
 * @throws if the engine breaks off among them
 */
export async function writeNative(
  connection: DuckDBConnection,
  { sql, head, path }: Pick<Extract<EngineRequest, { op: 'native' }>, 'sql' | 'head' | 'path'>,
): Promise<number> {
  const { result, check } = await stream(connection, sql)
  const writer = new NativeWriter()
  const file = await open(path, 'w', 0o600)
  let rows = 0
  try {
    for (;;) {
      const chunk = await result.fetchChunk()
      if (chunk === null || chunk.rowCount === 0) break
      const { rowCount } = chunk
      writer.block(
        rowCount,
        head.map((column, at) => columnOf(bindings.data_chunk_get_vector(chunk.chunk, at), rowCount, column)),
      )
      rows += rowCount
      if (writer.length >= PIECE_BYTES) await file.writeFile(writer.take())
    }
    await check(() => false)
    await file.writeFile(writer.take())
  } finally {
    await file.close()
  }
  return rows
}

function columnOf(vector: Parameters<typeof bindings.vector_get_data>[0], rows: number, { name, type }: NativeHead): NativeColumn {
  const width = type.includes('String') ? 16 : type.includes('UInt8') ? 1 : 8
  const values = bindings.vector_get_data(vector, rows * width)
  // Null where every row has a value, whatever its type says.
  const validity: Uint8Array | null = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8)
  return {
    name,
    type,
    values,
    validity,
    longText: (row, size) => bindings.get_data_from_pointer(values.buffer as ArrayBuffer, values.byteOffset + row * 16 + 8, size),
  }
}
