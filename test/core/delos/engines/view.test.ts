import { describe, expect, test } from 'vitest'
import { neededFrom, trimPosition, type ViewServer } from '../../../../src/core/delos/engines/view.ts'

const RULES = { margin: 100, silentMs: 1000 }
const NOW = 5000
const server = (id: bigint, durable: number | null, heardAtMs = NOW): ViewServer => ({ id, durable, heardAtMs })
const trim = (...servers: ViewServer[]): number => trimPosition(1n, servers, NOW, RULES)

describe('the log may be trimmed', () => {
  test('below what the slowest server has in its rows, less the margin', () => {
    expect(trim(server(1n, 900), server(2n, 700), server(3n, 800))).toBe(600)
  })

  test('not at all while a server has not said where it is, or is not further than the margin', () => {
    expect(trim(server(1n, 900), server(2n, null))).toBe(1)
    expect(trim(server(1n, 900), server(2n, 60))).toBe(1)
    expect(trim(server(2n, 900))).toBe(1)
  })

  test('without regard to a server that was silent for too long, but never past this one', () => {
    expect(trim(server(1n, 900), server(2n, 10, NOW - 1001))).toBe(800)
    expect(trim(server(1n, 900), server(2n, 300, NOW - 1000))).toBe(200)
    expect(trim(server(1n, 300, 0), server(2n, 900))).toBe(200)
  })

  test('no further than to what a server has in its archive, and says that it is for that', () => {
    const archiving = { ...server(2n, 900), archived: 500 }
    expect(trim(server(1n, 900), archiving)).toBe(501)
    expect(neededFrom(archiving, RULES)).toEqual({ by: 'archive', position: 501 })
    expect(trim(server(1n, 900), { ...archiving, archived: 0 })).toBe(1)
    expect(neededFrom({ ...archiving, archived: 850 }, RULES)).toEqual({ by: 'rows', position: 800 })
    expect(neededFrom(server(1n, null), RULES)).toEqual({ by: 'unheard', position: 1 })
  })
})
