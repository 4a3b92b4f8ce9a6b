import { closeSync, fdatasyncSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { quantile } from '../quantile.ts'

const WRITES = 1000
const WRITE_BYTES = 2355
const FILE_BYTES = 4 * 1024 * 1024

/** ms of each of a thousand writes of 2.3 KiB to a file written before, with its fdatasync: what no durable store goes below. */
export function measureFloor(dir: string): { p50Ms: number; p99Ms: number } {
  const file = join(dir, 'floor.bin')
  const fd = openSync(file, 'w')
  try {
    writeSync(fd, Buffer.alloc(FILE_BYTES))
    fsyncSync(fd)
    const bytes = Buffer.alloc(WRITE_BYTES, 7)
    const times: number[] = []
    for (let i = 0; i < WRITES; i += 1) {
      const startedMs = performance.now()
      writeSync(fd, bytes, 0, WRITE_BYTES, (i * WRITE_BYTES) % (FILE_BYTES - WRITE_BYTES))
      fdatasyncSync(fd)
      times.push(performance.now() - startedMs)
    }
    return { p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99) }
  } finally {
    closeSync(fd)
    rmSync(file)
  }
}
