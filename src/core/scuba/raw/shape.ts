/**
 * How the rows of a raw chunk stand in it, as far as reading them needs it: all rows of a chunk have one shape, and each of its
 * values fits the registered type of its column, because nothing else is kept raw.
 */
export interface RawShape {
  /** the key that holds each row's time, and how; null: no row has one, and the time it came in counts */
  time: { key: string; form: 'integer' | 'number' | 'text' } | null
  /** paths of objects, whose members are the columns `key.member`: top-level key, then members */
  objects: string[][]
  /** paths of arrays, which are kept in `_rest` */
  arrays: string[][]
}

/** Same text, same shape. */
export function shapeKey({ time, objects, arrays }: RawShape): string {
  return JSON.stringify([time?.key ?? null, time?.form ?? null, objects, arrays])
}
