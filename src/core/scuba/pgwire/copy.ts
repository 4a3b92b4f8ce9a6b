import type { CopyFormat } from './statements.ts'

/** A row as COPY TO writes it, with its line end ("File Formats" of COPY). */
export function copyLine(row: readonly (string | null)[], format: CopyFormat): string {
  const { isCsv, delimiter, nullText } = format
  return `${row.map((value) => (value === null ? nullText : isCsv ? csvValue(value, format) : textValue(value, delimiter))).join(delimiter)}\n`
}

function csvValue(value: string, { delimiter, nullText }: CopyFormat): string {
  const isPlain = value !== nullText && value !== '\\.' && !value.includes(delimiter) && !/["\r\n]/.test(value)
  return isPlain ? value : `"${value.replaceAll('"', '""')}"`
}

const ESCAPED: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f', '\v': '\\v' }

function textValue(value: string, delimiter: string): string {
  // eslint-disable-next-line no-control-regex -- these are what COPY writes with a backslash
  const text = value.replaceAll(/[\\\n\r\t\b\f\v]/g, (character) => ESCAPED[character] ?? character)
  return delimiter === '\t' ? text : text.replaceAll(delimiter, `\\${delimiter}`)
}
