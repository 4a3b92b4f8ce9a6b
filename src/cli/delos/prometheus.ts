/** Samples of Prometheus' text format by name and labels, as they stand: `etcd_server_has_leader`, `grpc_…{grpc_code="OK"}`. */
export function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const end = line.lastIndexOf('}') + 1 || line.indexOf(' ')
    if (end > 0) samples.set(line.slice(0, end), Number(line.slice(end).trim().split(' ', 1)[0]))
  }
  return samples
}

/**
 * A quantile of a histogram since the server's start, within its bucket by straight line as Prometheus' `histogram_quantile` does; null
 * without samples. A quantile over the last bound is that bound.
 */
export function quantileOf(samples: ReadonlyMap<string, number>, name: string, share: number): number | null {
  const count = samples.get(`${name}_count`) ?? 0
  if (count === 0) return null
  const buckets = [...samples]
    .flatMap(([key, value]) => {
      const le = key.startsWith(`${name}_bucket{`) ? /le="([^"]+)"/.exec(key)?.[1] : undefined
      return le === undefined || le === '+Inf' ? [] : [{ bound: Number(le), value }]
    })
    .toSorted((a, b) => a.bound - b.bound)
  let before = { bound: 0, value: 0 }
  for (const bucket of buckets) {
    if (bucket.value >= count * share) {
      const within = bucket.value - before.value
      return before.bound + (within === 0 ? 0 : ((count * share - before.value) / within) * (bucket.bound - before.bound))
    }
    before = bucket
  }
  return before.bound
}
