/** RFC 7541, appendix A: names and values in turn; index 1 is at 0. */
// prettier-ignore
const STATIC = [
  ':authority', '', ':method', 'GET', ':method', 'POST', ':path', '/', ':path', '/index.html', ':scheme', 'http', ':scheme', 'https',
  ':status', '200', ':status', '204', ':status', '206', ':status', '304', ':status', '400', ':status', '404', ':status', '500',
  'accept-charset', '', 'accept-encoding', 'gzip, deflate', 'accept-language', '', 'accept-ranges', '', 'accept', '',
  'access-control-allow-origin', '', 'age', '', 'allow', '', 'authorization', '', 'cache-control', '', 'content-disposition', '',
  'content-encoding', '', 'content-language', '', 'content-length', '', 'content-location', '', 'content-range', '', 'content-type', '',
  'cookie', '', 'date', '', 'etag', '', 'expect', '', 'expires', '', 'from', '', 'host', '', 'if-match', '', 'if-modified-since', '',
  'if-none-match', '', 'if-range', '', 'if-unmodified-since', '', 'last-modified', '', 'link', '', 'location', '', 'max-forwards', '',
  'proxy-authenticate', '', 'proxy-authorization', '', 'range', '', 'referer', '', 'refresh', '', 'retry-after', '', 'server', '',
  'set-cookie', '', 'strict-transport-security', '', 'transfer-encoding', '', 'user-agent', '', 'vary', '', 'via', '', 'www-authenticate', '',
]
export const STATIC_ENTRIES = STATIC.length / 2
/** What an entry costs beyond its chars (section 4.1). */
export const ENTRY_OVERHEAD_BYTES = 32

/** Static and dynamic table in one address space (section 2.3.3); one for each direction of a connection. */
export class HeaderTable {
  /** Counts every change: whatever was derived from the table is good as long as this is the same. */
  generation = 0
  bytesMax: number
  private bytes = 0
  /** oldest first, names and values in turn; those before `first` are evicted */
  private entries: string[] = []
  private first = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  name(index: number): string | undefined {
    return this.cell(index, 0)
  }

  value(index: number): string | undefined {
    return this.cell(index, 1)
  }

  insert(name: string, value: string): void {
    this.generation += 1
    this.bytes += name.length + value.length + ENTRY_OVERHEAD_BYTES
    this.entries.push(name, value)
    this.evict()
  }

  resize(bytesMax: number): void {
    if (bytesMax === this.bytesMax) return
    this.generation += 1
    this.bytesMax = bytesMax
    this.evict()
  }

  /** The index of the pair, or the negative one of an entry with that name, or 0. */
  find(name: string, value: string): number {
    let named = 0
    for (let i = 0; i < STATIC.length; i += 2) {
      if (STATIC[i] !== name) continue
      if (STATIC[i + 1] === value) return i / 2 + 1
      if (named === 0) named = -(i / 2 + 1)
    }
    for (let i = this.entries.length - 2; i >= this.first; i -= 2) {
      if (this.entries[i] !== name) continue
      const index = STATIC_ENTRIES + (this.entries.length - i) / 2
      if (this.entries[i + 1] === value) return index
      if (named === 0) named = -index
    }
    return named
  }

  private cell(index: number, part: 0 | 1): string | undefined {
    if (index <= STATIC_ENTRIES) return STATIC[index * 2 - 2 + part]
    const at = this.entries.length - (index - STATIC_ENTRIES) * 2
    return at >= this.first ? this.entries[at + part] : undefined
  }

  private evict(): void {
    while (this.bytes > this.bytesMax && this.first < this.entries.length) {
      const name = this.entries[this.first] as string
      const value = this.entries[this.first + 1] as string
      this.bytes -= name.length + value.length + ENTRY_OVERHEAD_BYTES
      this.entries[this.first] = ''
      this.entries[this.first + 1] = ''
      this.first += 2
    }
    if (this.first < 256) return
    this.entries = this.entries.slice(this.first)
    this.first = 0
  }
}
