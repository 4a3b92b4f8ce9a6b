const [OPEN, CLOSE, QUOTE, BACKSLASH] = [0x7b, 0x7d, 0x22, 0x5c]
const NO_BYTES = new Uint8Array(0)

/** Cuts a body of JSON objects, one after the other, into the text of each as soon as it is whole; a stream's messages come like that. */
export class JsonSplitter {
  private held: Uint8Array = NO_BYTES
  private scanned = 0
  private depth = 0
  private isInString = false
  private isEscaped = false

  /** Bytes of an object that is not whole yet. */
  get heldBytes(): number {
    return this.held.length
  }

  /** Objects that are whole now. What stands between or outside of objects comes as a text of its own, for the parser to refuse. */
  push(chunk: Uint8Array): string[] {
    const bytes = joined(this.held, chunk)
    const texts: string[] = []
    let start = 0
    for (let at = this.scanned; at < bytes.length; at += 1) {
      if (!this.closes(bytes[at] as number)) continue
      texts.push(decoder.decode(bytes.subarray(start, at + 1)))
      start = at + 1
    }
    this.held = bytes.slice(start)
    this.scanned = this.held.length
    return texts
  }

  /** The rest, when nothing more comes; '' if it is only space. */
  end(): string {
    return decoder.decode(this.held).trim()
  }

  private closes(byte: number): boolean {
    if (this.isEscaped) this.isEscaped = false
    else if (this.isInString) {
      if (byte === BACKSLASH) this.isEscaped = true
      else if (byte === QUOTE) this.isInString = false
    } else if (byte === QUOTE) this.isInString = true
    else if (byte === OPEN) this.depth += 1
    else if (byte === CLOSE) {
      this.depth -= 1
      if (this.depth <= 0) {
        this.depth = 0
        return true
      }
    }
    return false
  }
}

const decoder = new TextDecoder()

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
