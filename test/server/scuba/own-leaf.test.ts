import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RegisterValue } from '../../../src/core/delos/virtual-log/value.ts'
import { createLogger } from '../../../src/platform/logger.ts'
import { keepOwnLeafDoor } from '../../../src/server/scuba/own-leaf.ts'

let scuba: string
beforeEach(() => {
  scuba = mkdtempSync(join(tmpdir(), 'own-leaf-'))
})
afterEach(() => rmSync(scuba, { recursive: true, force: true }))

const SELF = '00000000000000aa'
const valueOf = (addresses: readonly string[]): RegisterValue =>
  ({
    servers: addresses.map((address, at) => ({
      ...{ server: at + 1, id: at === 0 ? SELF : `00000000000000b${at}`, name: `s${at}`, role: 'voter', incarnation: 1 },
      addresses: [address],
    })),
  }) as unknown as RegisterValue

test('the leaf of a server alone has no port; with others it has one for good, on the host where they reach the server', async () => {
  const door = keepOwnLeafDoor({ scuba }, SELF, createLogger(null))
  writeFileSync(join(scuba, 'leaf-name'), 'leaf-1\n')
  await door.follow(valueOf(['https://127.0.0.1:2380']))
  expect(readdirSync(scuba)).toEqual(['leaf-name'])
  expect(door.where()).toBeNull()

  await door.follow(valueOf(['https://127.0.0.1:2380', 'https://127.0.0.1:2381']))
  const first = door.where()
  expect(first).toMatchObject({ leaf: 'leaf-1', address: expect.stringMatching(/^https:\/\/127\.0\.0\.1:1[345]\d{3}$/) as string })
  const port = first?.address.split(':').at(-1)
  await door.follow(valueOf(['https://[::1]:2380', 'https://127.0.0.1:2381']))
  expect(door.where()?.address).toBe(`https://[::1]:${port}`)

  await door.follow(valueOf(['https://[::1]:2380']))
  expect(door.where()).toBeNull()
  await door.follow(valueOf(['https://127.0.0.1:2380', 'https://127.0.0.1:2381']))
  expect(door.where()).toEqual(first)
})
