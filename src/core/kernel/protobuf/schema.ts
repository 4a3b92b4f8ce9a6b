/** What a field holds on the wire. `key` is bytes as a byte string, `view` bytes as they are, `int` a 64-bit integer kept as a number. */
export type Kind =
  | ('key' | 'text' | 'view' | 'message')
  | ('bool' | 'int' | 'uint' | 'uint32' | 'sint32' | 'int64' | 'uint64' | 'enum')
  | ('double' | 'fixed64' | 'sfixed64' | 'fixed32')

/** One field of a message; `Value` is its type in `messages.ts`. */
export interface Field<Value> {
  readonly number: number
  readonly kind: Kind
  readonly isRepeated: boolean
  /** null when absent, and written even when zero: a message, or one field of a oneof */
  readonly isOptional: boolean
  /** name of the oneof this field belongs to; of those at most one is not null */
  readonly oneof: string
  /** the nested message; a function, since messages may hold themselves */
  readonly schema: (() => Schema<never>) | null
  /** an enum's own name, and the names of its numbers, for JSON */
  readonly enumName: string
  readonly names: readonly string[]
  /** never there; keeps the type apart */
  readonly value?: Value
}

/** A table of all fields of `Message`, in the order of their numbers. The compiler holds it to the interface: none missing, none of another type. */
export interface Schema<Message> {
  readonly name: string
  readonly fields: FieldsOf<Message>
}

export type FieldsOf<Message> = { readonly [Name in keyof Message as Name extends '_' ? never : Name]-?: Field<Message[Name]> }

const field = <Value>(number: number, kind: Kind, more: Partial<Field<Value>> = {}): Field<Value> => ({
  number,
  kind,
  isRepeated: false,
  isOptional: false,
  oneof: '',
  schema: null,
  enumName: '',
  names: [],
  ...more,
})

export const key = (number: number): Field<string> => field(number, 'key')
export const text = (number: number): Field<string> => field(number, 'text')
export const view = (number: number): Field<Uint8Array> => field(number, 'view')
export const bool = (number: number): Field<boolean> => field(number, 'bool')
/** int64 as a number */
export const int = (number: number): Field<number> => field(number, 'int')
/** uint64 as a number */
export const uint = (number: number): Field<number> => field(number, 'uint')
export const uint32 = (number: number): Field<number> => field(number, 'uint32')
export const int64 = (number: number): Field<bigint> => field(number, 'int64')
export const uint64 = (number: number): Field<bigint> => field(number, 'uint64')
export const sint32 = (number: number): Field<number> => field(number, 'sint32')
export const double = (number: number): Field<number> => field(number, 'double')
export const fixed64 = (number: number): Field<bigint> => field(number, 'fixed64')
export const sfixed64 = (number: number): Field<bigint> => field(number, 'sfixed64')
export const fixed32 = (number: number): Field<number> => field(number, 'fixed32')
export const enumeration = (number: number, enumName: string, names: readonly string[]): Field<number> =>
  field(number, 'enum', { enumName, names })
export const message = <Nested>(number: number, schema: () => Schema<Nested>): Field<Nested> =>
  field(number, 'message', { schema: schema as () => Schema<never> })

export const list = <Value>(one: Field<Value>): Field<Value[]> => ({ ...(one as Field<never>), isRepeated: true })
export const optional = <Value>(one: Field<Value>): Field<Value | null> => ({ ...(one as Field<never>), isOptional: true })
export const oneof = <Value>(name: string, one: Field<Value>): Field<Value | null> => ({ ...optional(one), oneof: name })
