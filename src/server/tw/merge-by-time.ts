/** What is merged: something that happened at a time, in ms; without one it belongs to what came before it in its source. */
export interface Timed {
  time?: number
}

interface Head<T> {
  value: T
  time: number
  source: AsyncIterator<T>
}

/**
 * Merges sources that are each in order of time into one that is; of equal times, the source named earlier goes first. It begins
 * when every source has given its first, and holds one value of each.
 */
export async function* mergeByTime<T extends Timed>(sources: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const opened = sources.map((source) => source[Symbol.asyncIterator]())
  const rank = new Map(opened.map((source, i) => [source, i]))
  const isLater = (a: Head<T>, b: Head<T>): boolean =>
    a.time === b.time ? (rank.get(a.source) ?? 0) > (rank.get(b.source) ?? 0) : a.time > b.time
  const next = async (source: AsyncIterator<T>, before: number): Promise<Head<T> | null> => {
    const { done, value } = await source.next()
    return done === true ? null : { value, time: value.time ?? before, source }
  }
  try {
    const first = await Promise.all(opened.map((source) => next(source, 0)))
    // The earliest stands last: it is taken off without moving the others.
    const heads = first.filter((head) => head !== null).toSorted((a, b) => (isLater(a, b) ? -1 : 1))
    for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
      yield head.value
      const following = await next(head.source, head.time)
      if (following === null) continue
      let low = 0
      for (let high = heads.length; low < high;) {
        const middle = (low + high) >> 1
        if (isLater(heads[middle] as Head<T>, following)) low = middle + 1
        else high = middle
      }
      heads.splice(low, 0, following)
    }
  } finally {
    await Promise.all(opened.map(async (source) => source.return?.()))
  }
}
