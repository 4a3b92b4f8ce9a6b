/** Bounds of what is decoded. Bytes, counts. */
export const DECODE = {
  /** a request as it arrives */
  bodyBytesMax: 16 * 1024 * 1024,
  inflatedBytesMax: 64 * 1024 * 1024,
  /** elements of all lists of a body together: two bytes can stand for an object of hundreds */
  itemsMax: 1_000_000,
  /** rows that one body makes, in chars of JSON: what stands once for many records is written into each row */
  rowCharsMax: 128 * 1024 * 1024,
  /** nested values deeper than this are kept as JSON text */
  nestingMax: 5,
  /** elements of an array or map value that are kept */
  valueItemsMax: 1000,
  /** exemplars, events and links of one row that are kept */
  partsMax: 128,
  labelsMax: 256,
  /** buckets of one row; of more, neighbours are put together */
  bucketsMax: 1000,
} as const
