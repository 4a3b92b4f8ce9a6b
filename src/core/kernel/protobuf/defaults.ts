import type { Field, Schema } from './schema.ts'

const NOTHING = new Uint8Array(0)

/** What a field is that is not there (proto3, "Default Values"). @param message what a message is then: null, or one at its own defaults */
export function defaultOf(field: Field<unknown>, message: (schema: Schema<unknown>) => unknown): unknown {
  if (field.isRepeated) return []
  if (field.isOptional) return null
  switch (field.kind) {
    case 'key':
    case 'text':
      return ''
    case 'view':
      return NOTHING
    case 'bool':
      return false
    case 'int64':
    case 'uint64':
    case 'fixed64':
    case 'sfixed64':
      return 0n
    case 'message':
      return message(field.schema?.() as Schema<unknown>)
    case 'int':
    case 'uint':
    case 'uint32':
    case 'sint32':
    case 'fixed32':
    case 'double':
    case 'enum':
      return 0
  }
}
