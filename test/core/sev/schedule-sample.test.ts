import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { shiftAt, type Rotation } from '../../../src/core/sev/schedule/rotation.ts'
import type { ZoneTable } from '../../../src/core/kernel/zone.ts'
import { zoneTable } from '../../../src/server/zones.ts'

const file = resolve(import.meta.dirname, '../../../../shared/data/sev/rotation-sample.jsonl')

interface Sample {
  id: number
  at: string
  rotation: { type: Rotation['type']; shiftLength: number; start: string; tz: string; users: string[] }
  want: { user: string; shiftStart: string; shiftEnd: string }
}

const name = 'every answer of the rotation sample is given by the closed form'
test.skipIf(!existsSync(file))(existsSync(file) ? name : `${name} (skipped: no rotation-sample.jsonl beside the project)`, () => {
  const zones = new Map<string, ZoneTable>()
  const wrong: unknown[] = []
  const samples = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Sample)
  for (const { id, at, rotation, want } of samples) {
    let zone = zones.get(rotation.tz)
    if (zone === undefined) zones.set(rotation.tz, (zone = zoneTable(rotation.tz, Date.UTC(2010, 0, 1), Date.UTC(2030, 0, 1))))
    const got = shiftAt({ ...rotation, startMs: Date.parse(rotation.start) }, zone, Date.parse(at))
    const isRight = got.user === want.user && got.startMs === Date.parse(want.shiftStart) && got.endMs === Date.parse(want.shiftEnd)
    if (!isRight) wrong.push({ id, want, got })
  }
  expect(samples.length).toBe(3000)
  expect(wrong).toEqual([])
})
