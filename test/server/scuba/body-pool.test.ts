import { expect, test } from 'vitest'
import { RowScanner } from '../../../src/core/scuba/raw/scan.ts'
import { BodyPool } from '../../../src/server/scuba/leaf/body-pool.ts'

const MIB = 1024 * 1024

test('memory that is given back is used again, and never by two', () => {
  const pool = new BodyPool()
  const first = pool.take(MIB)
  const second = pool.take(MIB)
  expect(first).not.toBeNull()
  expect(second).not.toBe(first)
  if (first) pool.give(first)
  expect(pool.take(MIB - 1)).toBe(first)
  expect(pool.take(MIB)).not.toBe(first)
  expect(pool.take(100)).toBeNull()
})

test('what the scanner knows of a body stays when the memory of that body is used again', () => {
  const scanner = new RowScanner()
  const room = Buffer.alloc(100)
  const scan = (text: string): string[] => {
    room.write(text)
    return [...(scanner.scan(room.subarray(0, text.length), 1000)?.columns.keys() ?? [])]
  }
  expect(scan('{"status":1,"note":"a"}\n')).toEqual(['status', 'note'])
  expect(scan('{"staple":1,"nose":"ab"}\n')).toEqual(['staple', 'nose'])
  expect(scan('{"status":1,"note":"a"}\n')).toEqual(['status', 'note'])
})
