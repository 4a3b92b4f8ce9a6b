/** A hash of everything that happened, in order (FNV-1a over numbers): equal for equal runs. */
export class Trace {
  #hash = 0x811c9dc5

  note(kind: string, value: number, nowMs: number): void {
    let hash = this.#hash
    for (let i = 0; i < kind.length; i += 3) hash = Math.imul(hash ^ kind.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ value, 0x01000193)
    this.#hash = Math.imul(hash ^ Math.floor(nowMs * 1000), 0x01000193)
  }

  noteText(text: string, nowMs: number): void {
    let hash = this.#hash
    for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    this.#hash = Math.imul(hash ^ Math.floor(nowMs * 1000), 0x01000193)
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }
}
