import type { Unanswered } from '../shards/coverage.ts'
import { LIVE_FAILING_USERS_MAX, type LiveAnswer, type LiveBucket } from './aggregate.ts'

/**
 * The live aggregates of several leaves as one. Its coverage is that of the leaf that knows least, times the share of requests that
 * those who answered are thought to have of all; so whoever asks for all of it fails closed while one leaf is missing.
 * @param own of the leaf that was asked, whose clock counts
 * @param missing leaves that have such rows, or may have, and did not answer
 */
export function mergeLive(own: LiveAnswer, others: readonly LiveAnswer[], missing: readonly Unanswered[]): LiveAnswer {
  if (others.length === 0 && missing.length === 0) return own
  const all = [own, ...others]
  const requests = all.reduce((sum, { buckets }) => sum + buckets.reduce((total, bucket) => total + bucket.requests, 0), 0)
  const away = missing.reduce((sum, { rows }) => sum + Math.max(1, rows ?? requests / all.length), 0)
  const failingUsers = mergeFailing(all)
  return {
    buckets: mergeBuckets(all),
    ...mergeUsers(all),
    failingUsers: failingUsers.slice(0, LIVE_FAILING_USERS_MAX),
    isFailingUsersCut: all.some(({ isFailingUsersCut }) => isFailingUsersCut) || failingUsers.length > LIVE_FAILING_USERS_MAX,
    coverage: Math.min(...all.map(({ coverage }) => coverage)) * (away === 0 ? 1 : requests / (requests + away)),
    hotToMs: Math.max(...all.map(({ hotToMs }) => hotToMs)),
    nowMs: own.nowMs,
    missing: missing.map(({ leaf, reason }) => `leaf ${leaf}: ${reason}`),
  }
}

function mergeBuckets(all: readonly LiveAnswer[]): LiveBucket[] {
  const merged = new Map<string, LiveBucket>()
  for (const { buckets } of all) {
    for (const bucket of buckets) {
      const key = `${bucket.second}\0${bucket.arm}\0${bucket.version}`
      const known = merged.get(key)
      if (known === undefined) {
        merged.set(key, { ...bucket, hist: { ...bucket.hist } })
        continue
      }
      known.requests += bucket.requests
      known.failing += bucket.failing
      for (const [at, count] of Object.entries(bucket.hist)) known.hist[at] = (known.hist[at] ?? 0) + count
    }
  }
  return [...merged.values()].sort((a, b) => a.second - b.second)
}

/** A user of an arm that two leaves know may be one or two: then the count may be too high. */
function mergeUsers(all: readonly LiveAnswer[]): Pick<LiveAnswer, 'users' | 'isUsersExact'> {
  const users: Record<string, number> = {}
  let isShared = false
  for (const answer of all) {
    for (const [arm, count] of Object.entries(answer.users)) {
      isShared ||= count > 0 && (users[arm] ?? 0) > 0
      users[arm] = (users[arm] ?? 0) + count
    }
  }
  return { users, isUsersExact: !isShared && all.every(({ isUsersExact }) => isUsersExact) }
}

/** Each user of an arm once, by the first failure that any leaf saw; earliest first. */
function mergeFailing(all: readonly LiveAnswer[]): LiveAnswer['failingUsers'] {
  const first = new Map<string, LiveAnswer['failingUsers'][number]>()
  for (const { failingUsers } of all) {
    for (const failure of failingUsers) {
      const key = `${failure.arm}\0${failure.user}`
      const known = first.get(key)
      if (known === undefined || failure.firstMs < known.firstMs) first.set(key, failure)
    }
  }
  return [...first.values()].sort((a, b) => a.firstMs - b.firstMs)
}
