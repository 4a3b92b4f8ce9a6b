/**
 * Regular expressions that always take linear time: Thompson's construction, all threads in step (Russ Cox, "Regular
 * Expression Matching: the Virtual Machine Approach"). The runtime's own would let one pattern of a job file stall the
 * server: `(a+)+b`, `a*a*a*b`.
 *
 * Understood: letters, `.`, `[a-z]`, `[^a-z]`, `\d \w \s` and their opposites, `( )`, `(?: )`, `|`, `* + ? {n} {n,} {n,m}`,
 * `^` and `$`. Not: look-around, back-references, word borders, lazy quantifiers; they are refused, never misread.
 */
export interface Pattern {
  /** whether it is found anywhere in the text; one longer than the `textMax` it was compiled with is never matched */
  test: (text: string) => boolean
}

export const PATTERN_MAX = 256
export const TEXT_MAX = 4096
/** Steps of a compiled pattern: what `{n,m}` may blow it up to. */
const STEPS_MAX = 1000
const REPEAT_MAX = 100
const DEPTH_MAX = 50

/** Compiled pattern, or a sentence that says what is wrong with it. `textMax`: characters of the longest text it is for. */
export function compilePattern(source: string, textMax = TEXT_MAX): Pattern | string {
  if (source.length > PATTERN_MAX) return `a pattern has at most ${PATTERN_MAX} characters, this one has ${source.length}`
  const reader = new Reader(source)
  const node = reader.alternatives(0)
  if (reader.problem !== null) return reader.problem
  const steps: Step[] = []
  if (!emit(steps, node) || !push(steps, { op: 'match' }))
    return `the pattern is too large: its repetitions multiply to over ${STEPS_MAX} steps`
  return { test: (text) => text.length <= textMax && run(steps, text) }
}

type Range = readonly [number, number]
type Node =
  | { kind: 'set'; ranges: readonly Range[]; isNegated: boolean }
  | { kind: 'begin' }
  | { kind: 'end' }
  | { kind: 'sequence'; parts: Node[] }
  | { kind: 'either'; parts: Node[] }
  | { kind: 'repeat'; part: Node; min: number; max: number | null }

const DIGIT: readonly Range[] = [[48, 57]]
const WORD: readonly Range[] = [...DIGIT, [65, 90], [95, 95], [97, 122]]
const SPACE: readonly Range[] = [
  [9, 13],
  [32, 32],
  [160, 160],
  [0x2028, 0x2029],
  [0xfeff, 0xfeff],
]
const LINE_END: readonly Range[] = [
  [10, 10],
  [13, 13],
  [0x2028, 0x2029],
]
const CLASSES: Readonly<Record<string, { ranges: readonly Range[]; isNegated: boolean }>> = {
  d: { ranges: DIGIT, isNegated: false },
  D: { ranges: DIGIT, isNegated: true },
  w: { ranges: WORD, isNegated: false },
  W: { ranges: WORD, isNegated: true },
  s: { ranges: SPACE, isNegated: false },
  S: { ranges: SPACE, isNegated: true },
}
const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11 }

/** Recursive descent over the source. The first problem found is kept; from there on what it gives does not matter. */
class Reader {
  problem: string | null = null
  private readonly source: string
  private at = 0

  constructor(source: string) {
    this.source = source
  }

  alternatives(depth: number): Node {
    if (depth > DEPTH_MAX) return this.fail('too many brackets within each other')
    const parts = [this.sequence(depth)]
    while (this.take('|')) parts.push(this.sequence(depth))
    if (depth === 0 && this.at < this.source.length) return this.fail('a closing bracket without an opening one')
    return parts.length === 1 && parts[0] ? parts[0] : { kind: 'either', parts }
  }

  private sequence(depth: number): Node {
    const parts: Node[] = []
    while (this.problem === null && this.at < this.source.length && !'|)'.includes(this.peek())) parts.push(this.repeated(depth))
    return { kind: 'sequence', parts }
  }

  private repeated(depth: number): Node {
    const part = this.single(depth)
    const bounds = this.quantifier()
    if (bounds === null) return part
    if (part.kind === 'begin' || part.kind === 'end') return this.fail('an anchor cannot be repeated')
    if ('?+*'.includes(this.peek()) && this.peek() !== '') return this.fail('lazy and possessive repetition is not understood')
    return { kind: 'repeat', part, ...bounds }
  }

  private quantifier(): { min: number; max: number | null } | null {
    if (this.take('*')) return { min: 0, max: null }
    if (this.take('+')) return { min: 1, max: null }
    if (this.take('?')) return { min: 0, max: 1 }
    if (!this.take('{')) return null
    const match = /^(\d{1,4})(,(\d{0,4}))?\}/.exec(this.source.slice(this.at))
    if (!match) return this.wrong('`{` starts a repetition such as {2,3}; for the character itself write \\{')
    this.at += match[0].length
    const min = Number(match[1])
    const max = match[2] === undefined ? min : match[3] === '' ? null : Number(match[3])
    if (Math.max(min, max ?? 0) > REPEAT_MAX) return this.wrong(`nothing is repeated more than ${REPEAT_MAX} times`)
    return max !== null && max < min ? this.wrong('a repetition ends before it begins') : { min, max }
  }

  private single(depth: number): Node {
    if (this.take('(')) {
      if (this.take('?') && !this.take(':')) return this.fail('of the groups with (? only (?: is understood')
      const node = this.alternatives(depth + 1)
      return this.take(')') || this.problem !== null ? node : this.fail('an opening bracket without a closing one')
    }
    if (this.take('^')) return { kind: 'begin' }
    if (this.take('$')) return { kind: 'end' }
    if (this.take('.')) return { kind: 'set', ranges: LINE_END, isNegated: true }
    if (this.take('[')) return this.set()
    if ('*+?{'.includes(this.peek())) return this.fail(`nothing stands before ${this.peek()}`)
    if (this.take('\\')) {
      const named = CLASSES[this.peek()]
      if (named) this.at += 1
      return named ? { kind: 'set', ...named } : one(this.escaped())
    }
    return one(this.next())
  }

  private set(): Node {
    const isNegated = this.take('^')
    const ranges: Range[] = []
    while (!this.take(']')) {
      if (this.problem !== null || this.at >= this.source.length) return this.fail('an opening [ without a closing one')
      if (this.peek() === '\\' && CLASSES[this.source.charAt(this.at + 1)] !== undefined) {
        const named = CLASSES[this.source.charAt(this.at + 1)]
        this.at += 2
        ranges.push(...(named?.isNegated ? outside(named.ranges) : (named?.ranges ?? [])))
        continue
      }
      const from = this.member()
      const isRange = this.peek() === '-' && this.source.charAt(this.at + 1) !== ']' && this.at + 1 < this.source.length
      if (isRange) this.at += 1
      const to = isRange ? this.member() : from
      if (to < from) return this.fail('a range of characters ends before it begins')
      ranges.push([from, to])
    }
    return { kind: 'set', ranges, isNegated }
  }

  private member(): number {
    return this.take('\\') ? this.escaped() : this.next()
  }

  /** After a backslash: punctuation for itself, or a control character. */
  private escaped(): number {
    const letter = this.peek()
    const control = CONTROLS[letter]
    if (letter === '' || (control === undefined && /[A-Za-z0-9]/.test(letter))) {
      this.fail(`\\${letter} is not understood`)
      return 0
    }
    this.at += 1
    return control ?? letter.charCodeAt(0)
  }

  private next(): number {
    const code = this.source.charCodeAt(this.at)
    this.at += 1
    return code
  }

  private peek(): string {
    return this.source.charAt(this.at)
  }

  private take(letter: string): boolean {
    if (this.peek() !== letter) return false
    this.at += 1
    return true
  }

  private fail(problem: string): Node {
    this.wrong(problem)
    return { kind: 'sequence', parts: [] }
  }

  private wrong(problem: string): null {
    this.problem ??= `${problem} (at character ${this.at + 1} of "${this.source}")`
    this.at = this.source.length
    return null
  }
}

function one(code: number): Node {
  return { kind: 'set', ranges: [[code, code]], isNegated: false }
}

/** The characters that are in none of the ranges, which are ascending. */
function outside(ranges: readonly Range[]): Range[] {
  let from = 0
  const gaps = ranges.flatMap(([low, high]): Range[] => {
    const gap: Range = [from, low - 1]
    from = high + 1
    return gap[0] <= gap[1] ? [gap] : []
  })
  return [...gaps, [from, 0xffff]]
}

type Step =
  | { op: 'set'; ranges: readonly Range[]; isNegated: boolean }
  | { op: 'begin' | 'end' | 'match' }
  /** goes on at both */
  | { op: 'split'; a: number; b: number }

function push(steps: Step[], step: Step): boolean {
  steps.push(step)
  return steps.length <= STEPS_MAX
}

/** Appends the steps of a node; false when there are too many. */
function emit(steps: Step[], node: Node): boolean {
  switch (node.kind) {
    case 'set':
      return push(steps, { op: 'set', ranges: node.ranges, isNegated: node.isNegated })
    case 'begin':
    case 'end':
      return push(steps, { op: node.kind })
    case 'sequence':
      return node.parts.every((part) => emit(steps, part))
    case 'either':
      return emitEither(steps, node.parts)
    case 'repeat':
      return emitRepeat(steps, node)
  }
}

function emitRepeat(steps: Step[], { part, min, max }: Extract<Node, { kind: 'repeat' }>): boolean {
  for (let i = 0; i < min; i += 1) if (!emit(steps, part)) return false
  if (max === null) {
    const start = steps.length
    return emitOptional(steps, part, () => push(steps, { op: 'split', a: start, b: start }))
  }
  for (let i = min; i < max; i += 1) if (!emitOptional(steps, part)) return false
  return true
}

/** The part or nothing. */
function emitOptional(steps: Step[], part: Node, after: () => boolean = () => true): boolean {
  const split: Step = { op: 'split', a: steps.length + 1, b: 0 }
  if (!push(steps, split) || !emit(steps, part) || !after()) return false
  split.b = steps.length
  return true
}

function emitEither(steps: Step[], parts: readonly Node[]): boolean {
  const ends: Extract<Step, { op: 'split' }>[] = []
  for (const [i, part] of parts.entries()) {
    const isLast = i === parts.length - 1
    const split: Extract<Step, { op: 'split' }> = { op: 'split', a: steps.length + 1, b: 0 }
    if (!isLast && !push(steps, split)) return false
    if (!emit(steps, part)) return false
    if (isLast) break
    const end: Extract<Step, { op: 'split' }> = { op: 'split', a: 0, b: 0 }
    if (!push(steps, end)) return false
    ends.push(end)
    split.b = steps.length
  }
  for (const end of ends) end.a = end.b = steps.length
  return true
}

/** All threads in step over the text; a step is entered at most once per character, so the work is steps × characters. */
function run(steps: readonly Step[], text: string): boolean {
  const entered = new Int32Array(steps.length).fill(-1)
  let threads: number[] = []
  for (let at = 0; at <= text.length; at += 1) {
    const waiting: number[] = []
    const stack = [0, ...threads.toReversed()]
    for (let pc = stack.pop(); pc !== undefined; pc = stack.pop()) {
      if (entered[pc] === at) continue
      entered[pc] = at
      const step = steps[pc]
      if (step === undefined || step.op === 'match') return true
      if (step.op === 'split') stack.push(step.b, step.a)
      else if (step.op === 'set') waiting.push(pc)
      else if (step.op === 'begin' ? at === 0 : at === text.length) stack.push(pc + 1)
    }
    const code = text.charCodeAt(at)
    threads = at === text.length ? [] : waiting.filter((pc) => accepts(steps[pc], code)).map((pc) => pc + 1)
  }
  return false
}

function accepts(step: Step | undefined, code: number): boolean {
  return step?.op === 'set' && step.ranges.some(([low, high]) => code >= low && code <= high) !== step.isNegated
}
