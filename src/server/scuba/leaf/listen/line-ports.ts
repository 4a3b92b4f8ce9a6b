import { createSocket } from 'node:dgram'
import { createServer, type Socket } from 'node:net'
import { LIMITS } from '../../../../core/scuba/limits.ts'
import { lineFraming, syslogFraming, type Framing } from '../../../../core/scuba/decode/lines/framing.ts'
import { syslogRow } from '../../../../core/scuba/decode/lines/syslog.ts'
import { isTableName } from '../../../../core/scuba/names.ts'
import type { IntakeAddress } from '../../../../core/scuba/ports.ts'
import { listening, type OpenPort } from './ports.ts'
import { LineBatch } from './line-batch.ts'
import type { Intake } from './take.ts'

/** RFC 5424 asks for 2,048 bytes, rsyslog sends 8 KiB and more. */
const SYSLOG_BYTES_MAX = 64 * 1024
const CONNECTIONS_MAX = 10_000
const DEFAULT_TABLE = 'lines'

const decoder = new TextDecoder()

/** Syslog over TCP and UDP at one address; rows of `logs`. Neither has an answer, so a sender's rows are safe once they are here a moment. */
export async function openSyslogPort(at: IntakeAddress, intake: Intake): Promise<OpenPort> {
  const row = (message: Uint8Array, peer: string): string => JSON.stringify(syslogRow(decoder.decode(message), Date.now(), peer))
  const tcp = await openStreamPort(at, intake, (from) => {
    const batch = new LineBatch(intake, 'logs', `syslog ${from}`)
    return { framing: syslogFraming(SYSLOG_BYTES_MAX), batch, take: (message, peer) => batch.add(row(message, peer)) }
  })
  const batch = new LineBatch(intake, 'logs', 'syslog over UDP')
  const udp = createSocket(at.host.includes(':') ? 'udp6' : 'udp4')
  udp.on('message', (message, { address }) => {
    // Nobody can be asked to wait: what finds no room is counted and gone.
    if (batch.isFull) batch.drop()
    else batch.add(row(message, address))
  })
  try {
    await new Promise<void>((resolve, reject) => {
      udp.once('error', reject)
      udp.bind({ address: at.host, port: Number(tcp.address.slice(tcp.address.lastIndexOf(':') + 1)) }, () => {
        udp.off('error', reject)
        udp.on('error', (error) => intake.store.log.warn('syslog over UDP failed', { error: String(error) }))
        resolve()
      })
    })
  } catch (error) {
    await tcp.close()
    throw error
  }
  return {
    address: tcp.address,
    close: async () => {
      udp.close()
      await Promise.all([tcp.close(), batch.flush()])
    },
  }
}

/**
 * NDJSON over a plain connection. A first line that is the name of a table says where the rows go; without one they go to the port's.
 * Lines that cannot be rows are in the quarantine.
 */
export function openLinesPort(at: IntakeAddress, intake: Intake): Promise<OpenPort> {
  return openStreamPort(at, intake, (from) => {
    let isFirst = true
    const batch = new LineBatch(intake, at.table ?? DEFAULT_TABLE, `lines ${from}`)
    return {
      framing: lineFraming(LIMITS.rowBytesMax),
      batch,
      take: (message) => {
        const text = decoder.decode(message)
        if (isFirst && isTableName(text)) batch.table = text
        else batch.add(text)
        isFirst = false
      },
    }
  })
}

interface Stream {
  framing: Framing
  batch: LineBatch
  take: (message: Uint8Array, peer: string) => void
}

/** Each connection has a framing and a batch of its own, and is not read while its batch has no room. */
async function openStreamPort(at: IntakeAddress, intake: Intake, open: (from: string) => Stream): Promise<OpenPort> {
  const streams = new Map<Socket, LineBatch>()
  const server = createServer((socket) => {
    const peer = socket.remoteAddress ?? ''
    const { framing, batch, take } = open(peer)
    streams.set(socket, batch)
    socket.on('error', () => socket.destroy())
    socket.on('data', (bytes: Buffer) => {
      for (const message of framing.push(bytes)) take(message, peer)
      if (!batch.isFull) return
      socket.pause()
      void batch.room().then(() => socket.resume())
    })
    socket.once('close', () => {
      for (const message of framing.end()) take(message, peer)
      if (framing.broken > 0) intake.store.log.warn('lines were too long and cut', { peer, count: framing.broken })
      void batch.flush().finally(() => streams.delete(socket))
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  return listening(server, at, async () => {
    const batches = [...streams.values()]
    for (const socket of streams.keys()) socket.destroy()
    await Promise.all(batches.map((batch) => batch.flush()))
  })
}
