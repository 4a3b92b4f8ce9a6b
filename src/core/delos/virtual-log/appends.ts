import { assert } from '../../kernel/assert.ts'

/**
 * The appends of one proposer that are not in the log yet, as far as is known here, over any number of segments. A batch keeps its
 * `seq` over every try. It is over when it is read from the log (`landed`), and in no other way: answers of loglets only say
 * when to try again. So after a sealed segment was read to its end, what did not land in it is not in it.
 *
 * Order: batches go out in the order of `seq`, and after a failure nothing goes out until every try under way has been answered; then
 * all of them go out again, the oldest first.
 */
export interface Appends<T> {
  /** ascending `seq` */
  waiting: Map<number, PendingAppend<T>>
  /** takes appends; null while none does */
  loglet: number | null
  isHeld: boolean
  /** `loglet` refused for good */
  isSealed: boolean
  underWayMax: number
  newest: number
}

export interface PendingAppend<T> {
  seq: number
  item: T
  /** given to `loglet`, and not answered */
  isUnderWay: boolean
  /** answered as being in the log; it is read there in a moment */
  isTaken: boolean
}

/** @param underWayMax tries at a time */
export function createAppends<T>(underWayMax: number): Appends<T> {
  return { waiting: new Map(), loglet: null, isHeld: false, isSealed: false, underWayMax, newest: 0 }
}

/** @param seq above every one before */
export function addAppend<T>(appends: Appends<T>, seq: number, item: T): void {
  assert(seq > appends.newest, `append ${seq} comes after ${appends.newest}`)
  appends.newest = seq
  appends.waiting.set(seq, { seq, item, isUnderWay: false, isTaken: false })
}

/** The segment that takes appends, once this server has read all before it; null: none does, or not all is read. */
export function openAppends<T>(appends: Appends<T>, loglet: number | null): void {
  if (appends.loglet === loglet) return
  appends.loglet = loglet
  appends.isHeld = false
  appends.isSealed = false
  // Answers of the old one do not count any more: what it holds was read.
  for (const each of appends.waiting.values()) {
    each.isUnderWay = false
    each.isTaken = false
  }
}

/** What is to be given to `appends.loglet` now, in this order. */
export function takeAppends<T>(appends: Appends<T>): PendingAppend<T>[] {
  if (appends.loglet === null || appends.isHeld) return []
  const taken: PendingAppend<T>[] = []
  let underWay = 0
  for (const each of appends.waiting.values()) {
    if (underWay >= appends.underWayMax) break
    underWay += 1
    if (each.isUnderWay || each.isTaken) continue
    each.isUnderWay = true
    taken.push(each)
  }
  return taken
}

/**
 * A loglet's answer to one try.
 * @param result `taken`: in the log; `refused` and `unknown`: to be tried again; `sealed`: in this loglet never again
 */
export function answerAppend<T>(
  appends: Appends<T>,
  loglet: number,
  seq: number,
  result: 'taken' | 'refused' | 'unknown' | 'sealed',
): void {
  const each = appends.waiting.get(seq)
  if (loglet !== appends.loglet || each === undefined || !each.isUnderWay) return
  each.isUnderWay = false
  if (result === 'taken') each.isTaken = true
  else appends.isHeld = true
  // Goes on with `openAppends`, when its end was read.
  if (result === 'sealed') appends.isSealed = true
  if (appends.isSealed || !appends.isHeld) return
  if (![...appends.waiting.values()].some(({ isUnderWay }) => isUnderWay)) appends.isHeld = false
}

/** Read from the log: the append is over. Undefined if it is not one of these. */
export function landAppend<T>(appends: Appends<T>, seq: number): T | undefined {
  const each = appends.waiting.get(seq)
  appends.waiting.delete(seq)
  return each?.item
}
