/** What one server read of its log: a digest for each stretch of positions, and where it could read no further. */
export interface LogReading {
  server: string
  /** first position kept, and the position after the last */
  head: number
  tail: number
  stretches: { from: number; to: number; sha256: string }[]
  /** `rot`: its own checksum is wrong; `missing`: it is not there */
  bad: { position: number; kind: 'rot' | 'missing'; reason: string } | null
}

/** Something that is wrong at a server: at a position, or somewhere in a stretch that has to be looked at more closely. */
export interface LogFault {
  server: string
  from: number
  to: number
  kind: 'rot' | 'missing' | 'differs'
  reason: string
}

/**
 * What is wrong with these readings of the same positions, in stretches that begin at the same ones: who could not read, and whose content
 * is not that of most who read it. With no most, all who differ are named: it is not known which is right.
 */
export function faultsOf(readings: readonly LogReading[]): LogFault[] {
  const faults = readings.flatMap(({ server, bad }): LogFault[] =>
    bad === null ? [] : [{ server, from: bad.position, to: bad.position, kind: bad.kind, reason: bad.reason }],
  )
  const byStretch = new Map<string, { from: number; to: number; said: { server: string; sha256: string }[] }>()
  for (const { server, stretches } of readings)
    for (const { from, to, sha256 } of stretches) {
      const stretch = byStretch.get(`${from}-${to}`) ?? { from, to, said: [] }
      stretch.said.push({ server, sha256 })
      byStretch.set(`${from}-${to}`, stretch)
    }
  for (const { from, to, said } of byStretch.values()) {
    const most = mostOf(said.map(({ sha256 }) => sha256))
    for (const { server, sha256 } of said)
      if (sha256 !== most)
        faults.push({
          server,
          from,
          to,
          kind: 'differs',
          reason: most === null ? 'servers differ, and no most agree' : 'most servers have something else',
        })
  }
  return faults.toSorted((a, b) => a.from - b.from || (a.server < b.server ? -1 : 1))
}

/** What more than half say; null: nothing, or they all say the same as nobody else. */
function mostOf(said: readonly string[]): string | null {
  return said.find((one) => said.filter((other) => other === one).length > said.length / 2) ?? null
}
