import { IdMap } from '../../../kernel/id-map.ts'
import { ByteWriter } from '../../../kernel/protobuf/byte-writer.ts'
import { HpackDecoder } from '../hpack/decoder.ts'
import { HpackEncoder, type HeaderField } from '../hpack/encoder.ts'
import { ERROR, FLAG, FRAME, FRAME_BYTES_DEFAULT, FRAME_HEADER_BYTES, PREFACE, SETTING, WINDOW_DEFAULT, WINDOW_MAX } from './frames.ts'
import { RateLimit, type Http2Limits } from './limits.ts'
import { Http2Stream, type Feed } from './stream.ts'

const HEADER_TABLE_BYTES = 4096
/** Below this much waiting, a stream's sender is told to go on. */
const STREAM_LOW_BYTES = 65_536
/** Above this much unsent output, data waits in its stream's queue rather than in ours: about a millisecond of a turn to make and to write. */
const OUTPUT_HIGH_BYTES = 262_144
/** Data of a frame from here on goes out as it is: a copy, and a slab that has to grow for it, cost more than one more part to write. */
const WHOLE_BYTES_MIN = 4096
const NO_CARRY = new Uint8Array(0)

/** What the layer above hears. Views of bytes stay good: the connection never writes into what it was given. */
export interface Http2Listener<Head, Owner> {
  opened(stream: Http2Stream<Owner>, head: Head): void
  data(stream: Http2Stream<Owner>, bytes: Uint8Array, start: number, end: number): void
  /** the peer has sent all it will send on this stream */
  halfClosed(stream: Http2Stream<Owner>): void
  /** reset by the peer or by us, or the connection ended, before the answer was complete */
  aborted(stream: Http2Stream<Owner>, code: number): void
  /** a sender that was told to wait may go on */
  drained(stream: Http2Stream<Owner>): void
}

export interface Http2Options<Head, Owner> {
  limits: Http2Limits
  listener: Http2Listener<Head, Owner>
  /** names and values of a request's header list, in turn */
  interpret: (fields: readonly string[]) => Head
  /** there is output; called often */
  onOutput: () => void
}

/**
 * The server's side of one HTTP/2 connection (RFC 9113) as a machine: bytes in by `receive`, calls of the listener; calls of the methods,
 * bytes out in `output`. It has no clock and no socket. Whatever a peer sends, it ends in a GOAWAY or RST_STREAM with the code the RFC
 * names, never in an exception.
 */
export class Http2Connection<Head, Owner> {
  readonly output = new ByteWriter()
  readonly streams = new IdMap<Http2Stream<Owner>>()
  /** after GOAWAY of ours with an error: write what is in `output`, then close */
  isFailed = false
  failure = ''
  failureCode: number = ERROR.none
  /** after `shutDown`: streams that are open may finish, then the connection ends */
  isShuttingDown = false
  /** the socket takes nothing at the moment; data waits in its streams */
  isCongested = false
  /** answers waiting for windows, over all streams */
  queuedBytes = 0
  /** of answers that are made as they are read, what is not made yet */
  promisedBytes = 0

  /** what goes out before `output` */
  private parts: Uint8Array[] = []
  private partBytes = 0

  private readonly limits: Http2Limits
  private readonly listener: Http2Listener<Head, Owner>
  private readonly decoder: HpackDecoder<Head>
  private readonly encoder = new HpackEncoder()
  private readonly onOutput: () => void
  private readonly controls: RateLimit
  private readonly resets: RateLimit
  private now = 0

  private carry: Uint8Array = NO_CARRY
  private carried = 0
  private prefaceLeft = PREFACE.length
  private hasSettings = false
  private lastStreamId = 0

  /** the stream whose header block goes on in CONTINUATION; 0 without */
  private blockStreamId = 0
  private blockEndsStream = false
  private block: Uint8Array = NO_CARRY

  private sendWindow = WINDOW_DEFAULT
  private peerStreamWindow = WINDOW_DEFAULT
  private receiveWindow: number
  private taken = 0
  /** streams that wait for the connection's window, in the order of their turns */
  private readonly waiting = new Set<Http2Stream<Owner>>()

  constructor(options: Http2Options<Head, Owner>) {
    const { limits } = options
    this.limits = limits
    this.listener = options.listener
    this.onOutput = options.onOutput
    this.decoder = new HpackDecoder(HEADER_TABLE_BYTES, limits.headerListBytesMax, options.interpret)
    this.controls = new RateLimit(limits.controlFramesMax)
    this.resets = new RateLimit(limits.resetsMax)
    this.receiveWindow = limits.connectionWindowBytes
    this.greet()
  }

  /** header blocks that it knows byte for byte */
  get headerBlocks(): number {
    return this.decoder.blocks
  }

  /** bytes that `takeOutput` would give */
  get outputBytes(): number {
    return this.partBytes + this.output.length
  }

  /** Everything said since the last time, in parts that are never changed again. */
  takeOutput(): Uint8Array[] {
    const taken = this.parts
    if (this.output.length > 0) taken.push(this.output.take())
    this.parts = []
    this.partBytes = 0
    return taken
  }

  /** Takes what the peer sent. The bytes must not be changed afterwards. `nowMs` never falls; only differences matter. */
  receive(chunk: Uint8Array, nowMs: number): void {
    this.now = nowMs
    let at = 0
    if (this.prefaceLeft > 0) at = this.checkPreface(chunk)
    if (this.carried > 0) at = this.completeCarried(chunk, at)
    while (!this.isFailed) {
      const left = chunk.length - at
      if (left < FRAME_HEADER_BYTES) break
      const length = ((chunk[at] as number) << 16) | ((chunk[at + 1] as number) << 8) | (chunk[at + 2] as number)
      if (length > FRAME_BYTES_DEFAULT) return this.fail(ERROR.frameSize, 'frame too large')
      const end = at + FRAME_HEADER_BYTES + length
      if (end > chunk.length) break
      this.frame(chunk, at, end)
      at = end
    }
    if (at < chunk.length && !this.isFailed) this.carryOver(chunk, at)
  }

  /** The connection is gone: every stream is told. */
  closed(): void {
    this.isFailed = true
    const open = this.streams.values()
    this.streams.clear()
    this.waiting.clear()
    this.queuedBytes = 0
    this.promisedBytes = 0
    for (const stream of open) this.listener.aborted(stream, ERROR.cancel)
  }

  /** Takes no new streams; those that are open go on. */
  shutDown(): void {
    if (this.isShuttingDown || this.isFailed) return
    this.isShuttingDown = true
    this.goAway(ERROR.none, '')
  }

  sendHeaders(stream: Http2Stream<Owner>, fields: readonly HeaderField[]): void {
    stream.hasSentHeaders = true
    this.headers(stream, fields, 0)
  }

  /** Ends the stream with these fields, after all data before them. */
  sendTrailers(stream: Http2Stream<Owner>, fields: readonly HeaderField[]): void {
    if (stream.queuedBytes > 0) stream.trailers = fields
    else this.finish(stream, fields)
  }

  /**
   * Starts data that is written into `output` directly, without a copy.
   * @returns what `endData` wants
   */
  beginData(): number {
    const { output } = this
    output.ensure(FRAME_HEADER_BYTES)
    const mark = output.at
    output.at = mark + FRAME_HEADER_BYTES
    return mark
  }

  /** What was written since `beginData` is data of this stream: sent now, or kept until the windows allow it. */
  endData(stream: Http2Stream<Owner>, mark: number): void {
    const { output } = this
    const length = output.at - mark - FRAME_HEADER_BYTES
    const maySend = stream.queuedBytes === 0 && !this.isCongested && this.outputBytes < OUTPUT_HIGH_BYTES
    if (maySend && length <= FRAME_BYTES_DEFAULT && length <= stream.sendWindow && length <= this.sendWindow) {
      this.patchHeader(mark, length, FRAME.data, 0, stream.id)
      stream.sendWindow -= length
      this.sendWindow -= length
      this.controls.allow(2)
      this.onOutput()
      return
    }
    stream.queue.push(output.bytes.slice(mark + FRAME_HEADER_BYTES, output.at))
    output.rewind(mark)
    stream.queuedBytes += length
    this.queuedBytes += length
    this.pump(stream)
  }

  /** Data of this stream that is made a piece at a time, each when the last one has been sent. Nothing but trailers may follow. */
  sendFeed(stream: Http2Stream<Owner>, feed: Feed): void {
    stream.feed = feed
    stream.promisedBytes = feed.length
    this.promisedBytes += feed.length
    this.refill(stream)
    this.pump(stream)
  }

  /** Data of this stream that is made now, for there is not much of it: in pieces it is neither copied nor put into one place. */
  sendPieces(stream: Http2Stream<Owner>, pieces: Feed): void {
    for (let piece = pieces.next(); piece !== null; piece = pieces.next()) {
      stream.queue.push(piece)
      stream.queuedBytes += piece.length
      this.queuedBytes += piece.length
    }
    this.pump(stream)
  }

  private refill(stream: Http2Stream<Owner>): void {
    const piece = stream.feed?.next() ?? null
    if (piece === null) {
      this.endFeed(stream)
      return
    }
    stream.queue.push(piece)
    stream.queuedBytes += piece.length
    this.queuedBytes += piece.length
    stream.promisedBytes -= piece.length
    this.promisedBytes -= piece.length
  }

  private endFeed(stream: Http2Stream<Owner>): void {
    this.promisedBytes -= stream.promisedBytes
    stream.promisedBytes = 0
    stream.feed = null
  }

  /** Ends a stream without an answer, or before its end. */
  reset(stream: Http2Stream<Owner>, code: number): void {
    this.writeReset(stream.id, code)
    this.remove(stream)
    this.listener.aborted(stream, code)
  }

  /** A request that breaks the rules; too many of them end the connection. */
  refuse(stream: Http2Stream<Owner>, code: number): void {
    this.resetFor(stream, code)
  }

  /** The output was taken, and the socket takes more: what had to wait for that goes on. */
  resume(): void {
    this.isCongested = false
    this.pumpWaiting()
  }

  /** What the peer sent and we have dealt with: it may send as much again. */
  private credit(stream: Http2Stream<Owner> | undefined, bytes: number): void {
    this.taken += bytes
    if (this.taken >= this.limits.connectionWindowBytes >>> 1) {
      this.writeWindowUpdate(0, this.taken)
      this.receiveWindow += this.taken
      this.taken = 0
    }
    if (stream === undefined || stream.isRemoteClosed) return
    stream.taken += bytes
    if (stream.taken < this.limits.streamWindowBytes >>> 1) return
    this.writeWindowUpdate(stream.id, stream.taken)
    stream.taken = 0
  }

  // ------------------------------------------------------------------------------------------------- frames in

  private checkPreface(chunk: Uint8Array): number {
    let at = 0
    while (at < chunk.length && this.prefaceLeft > 0) {
      if (chunk[at] !== PREFACE.charCodeAt(PREFACE.length - this.prefaceLeft)) {
        this.fail(ERROR.protocol, 'not an HTTP/2 preface')
        return chunk.length
      }
      at += 1
      this.prefaceLeft -= 1
    }
    return at
  }

  /** Keeps the beginning of a frame. Its buffer is new each time, since views of it live on. */
  private carryOver(chunk: Uint8Array, at: number): void {
    const left = chunk.length - at
    this.carry = new Uint8Array(FRAME_HEADER_BYTES + (left < FRAME_HEADER_BYTES ? 0 : lengthAt(chunk, at)))
    this.carry.set(chunk.subarray(at))
    this.carried = left
  }

  private completeCarried(chunk: Uint8Array, start: number): number {
    let at = start
    for (;;) {
      const take = Math.min(this.carry.length - this.carried, chunk.length - at)
      this.carry.set(chunk.subarray(at, at + take), this.carried)
      this.carried += take
      at += take
      if (this.carried < this.carry.length) return at
      if (this.carried > FRAME_HEADER_BYTES) break
      const length = lengthAt(this.carry, 0)
      if (length > FRAME_BYTES_DEFAULT) {
        this.fail(ERROR.frameSize, 'frame too large')
        return chunk.length
      }
      if (length === 0) break
      const whole = new Uint8Array(FRAME_HEADER_BYTES + length)
      whole.set(this.carry)
      this.carry = whole
    }
    const { carry, carried } = this
    this.carried = 0
    this.carry = NO_CARRY
    this.frame(carry, 0, carried)
    return at
  }

  private frame(bytes: Uint8Array, at: number, end: number): void {
    const type = bytes[at + 3] as number
    const flags = bytes[at + 4] as number
    const id = uint32(bytes, at + 5) & WINDOW_MAX
    const start = at + FRAME_HEADER_BYTES
    if (this.blockStreamId !== 0 && (type !== FRAME.continuation || id !== this.blockStreamId)) {
      return this.fail(ERROR.protocol, 'a header block has to go on')
    }
    if (!this.hasSettings && type !== FRAME.settings) return this.fail(ERROR.protocol, 'the first frame has to be SETTINGS')
    switch (type) {
      case FRAME.data:
        return this.onData(bytes, start, end, flags, id)
      case FRAME.headers:
        return this.onHeaders(bytes, start, end, flags, id)
      case FRAME.windowUpdate:
        return this.onWindowUpdate(bytes, start, end, id)
      case FRAME.continuation:
        if (this.blockStreamId === 0) return this.fail(ERROR.protocol, 'CONTINUATION without a block')
        return this.onBlock(bytes, start, end, (flags & FLAG.endHeaders) !== 0)
      case FRAME.resetStream:
        return this.onReset(bytes, start, end, id)
      case FRAME.settings:
        return this.onSettings(bytes, start, end, flags, id)
      case FRAME.ping:
        return this.onPing(bytes, start, end, flags, id)
      case FRAME.priority:
        return this.onPriority(bytes, start, end, id)
      case FRAME.goAway:
        if (id !== 0) return this.fail(ERROR.protocol, 'GOAWAY on a stream')
        if (end - start < 8) return this.fail(ERROR.frameSize, 'GOAWAY too short')
        this.isShuttingDown = true
        return
      case FRAME.pushPromise:
        return this.fail(ERROR.protocol, 'a client cannot push')
      default:
        // Section 5.5: types nobody knows are passed over.
        this.countControl()
    }
  }

  private onData(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    const frameBytes = end - start
    if (id === 0 || id > this.lastStreamId || (id & 1) === 0) return this.fail(ERROR.protocol, 'DATA on a stream that is not open')
    this.receiveWindow -= frameBytes
    if (this.receiveWindow < 0) return this.fail(ERROR.flowControl, 'more data than the window allows')
    let [from, to] = [start, end]
    if ((flags & FLAG.padded) !== 0) {
      const padding = from < to ? (bytes[from] as number) : 256
      from += 1
      to -= padding
      if (to < from) return this.fail(ERROR.protocol, 'more padding than data')
    }
    const ends = (flags & FLAG.endStream) !== 0
    if (from === to && !ends && !this.countControl()) return
    const stream = this.streams.get(id)
    if (stream === undefined || stream.isRemoteClosed) {
      this.credit(undefined, frameBytes)
      if (stream !== undefined) this.resetFor(stream, ERROR.streamClosed)
      return
    }
    if (stream.taken + frameBytes > this.limits.streamWindowBytes) {
      this.credit(undefined, frameBytes)
      return this.resetFor(stream, ERROR.flowControl)
    }
    if (ends) stream.isRemoteClosed = true
    this.credit(stream, frameBytes)
    if (from < to) this.listener.data(stream, bytes, from, to)
    if (ends) this.remoteEnd(stream)
  }

  private remoteEnd(stream: Http2Stream<Owner>): void {
    stream.isRemoteClosed = true
    if (stream.isLocalClosed) this.remove(stream)
    else if (this.streams.get(stream.id) !== undefined) this.listener.halfClosed(stream)
  }

  private onHeaders(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if ((id & 1) === 0) return this.fail(ERROR.protocol, 'HEADERS on a stream that a client cannot open')
    let [from, to] = [start, end]
    if ((flags & FLAG.padded) !== 0) {
      to -= from < to ? (bytes[from] as number) : 256
      from += 1
    }
    if ((flags & FLAG.priority) !== 0) {
      if (from + 5 <= to && (uint32(bytes, from) & WINDOW_MAX) === id) return this.fail(ERROR.protocol, 'a stream cannot depend on itself')
      from += 5
    }
    if (to < from) return this.fail(ERROR.protocol, 'more padding than header block')
    this.blockStreamId = id
    this.blockEndsStream = (flags & FLAG.endStream) !== 0
    this.onBlock(bytes, from, to, (flags & FLAG.endHeaders) !== 0)
  }

  /** A block, or a part of one; the parts are put together before they are decoded. */
  private onBlock(bytes: Uint8Array, start: number, end: number, isLast: boolean): void {
    const before = this.block.length
    if (isLast && before === 0) return this.onBlockEnd(bytes, start, end)
    if (!this.countControl()) return
    if (before + end - start > this.limits.headerListBytesMax) return this.fail(ERROR.enhanceYourCalm, 'header list too large')
    const block = new Uint8Array(before + end - start)
    block.set(this.block)
    block.set(bytes.subarray(start, end), before)
    this.block = block
    if (isLast) this.onBlockEnd(block, 0, block.length)
  }

  private onBlockEnd(bytes: Uint8Array, start: number, end: number): void {
    const id = this.blockStreamId
    this.blockStreamId = 0
    this.block = NO_CARRY
    const head = this.decoder.decode(bytes, start, end)
    if (head === null) {
      if (this.decoder.fault === 'too large') this.fail(ERROR.enhanceYourCalm, 'header list too large')
      else this.fail(ERROR.compression, 'header block cannot be decoded')
      return
    }
    const known = this.streams.get(id)
    if (known !== undefined) return this.onTrailers(known)
    // A stream that we ended before its trailers came, most likely.
    if (id <= this.lastStreamId) return void this.countControl()
    this.lastStreamId = id
    if (this.isShuttingDown || this.streams.size >= this.limits.streamsMax || this.queuedBytes > this.limits.queuedBytesMax) {
      this.countReset()
      if (!this.isFailed) this.writeReset(id, ERROR.refusedStream)
      return
    }
    const stream = new Http2Stream<Owner>(id, this.peerStreamWindow, this.now)
    stream.isRemoteClosed = this.blockEndsStream
    this.streams.set(id, stream)
    this.listener.opened(stream, head)
    if (this.blockEndsStream) this.remoteEnd(stream)
  }

  private onTrailers(stream: Http2Stream<Owner>): void {
    if (stream.isRemoteClosed) return this.resetFor(stream, ERROR.streamClosed)
    if (!this.blockEndsStream) return this.resetFor(stream, ERROR.protocol)
    this.remoteEnd(stream)
  }

  private onReset(bytes: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== 4) return this.fail(ERROR.frameSize, 'RST_STREAM of a wrong size')
    if (id === 0 || id > this.lastStreamId || (id & 1) === 0) return this.fail(ERROR.protocol, 'RST_STREAM on a stream that is not open')
    const stream = this.streams.get(id)
    if (stream === undefined) return void this.countControl()
    if (this.now - stream.openedAtMs < 1000 && !this.countReset()) return
    this.remove(stream)
    this.listener.aborted(stream, uint32(bytes, start))
  }

  private onSettings(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    const length = end - start
    if (id !== 0) return this.fail(ERROR.protocol, 'SETTINGS on a stream')
    if (length % 6 !== 0 || ((flags & FLAG.ack) !== 0 && length > 0)) return this.fail(ERROR.frameSize, 'SETTINGS of a wrong size')
    if (!this.countControl()) return
    this.hasSettings = true
    if ((flags & FLAG.ack) !== 0) return
    for (let at = start; at < end; at += 6) {
      this.onSetting(((bytes[at] as number) << 8) | (bytes[at + 1] as number), uint32(bytes, at + 2))
      if (this.isFailed) return
    }
    this.frameHeader(0, FRAME.settings, FLAG.ack, 0)
    this.onOutput()
    this.pumpWaiting()
  }

  private onSetting(setting: number, value: number): void {
    if (setting === SETTING.headerTableSize) this.encoder.setTableBytesMax(value)
    else if (setting === SETTING.enablePush && value > 1) this.fail(ERROR.protocol, 'ENABLE_PUSH is 0 or 1')
    else if (setting === SETTING.maxFrameSize) {
      // Checked only: larger frames of ours would make other streams wait.
      if (value < FRAME_BYTES_DEFAULT || value > 0xff_ffff) this.fail(ERROR.protocol, 'MAX_FRAME_SIZE out of range')
    } else if (setting === SETTING.initialWindowSize) this.onInitialWindow(value)
  }

  /** Section 6.9.2: open streams are moved by the difference, and their windows may become negative. */
  private onInitialWindow(value: number): void {
    if (value > WINDOW_MAX) return this.fail(ERROR.flowControl, 'INITIAL_WINDOW_SIZE out of range')
    const difference = value - this.peerStreamWindow
    this.peerStreamWindow = value
    for (const stream of this.streams.values()) {
      stream.sendWindow += difference
      if (stream.sendWindow > WINDOW_MAX) return this.fail(ERROR.flowControl, 'window over 2^31 - 1')
      if (stream.queuedBytes > 0) this.waiting.add(stream)
    }
  }

  private onPing(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if (id !== 0) return this.fail(ERROR.protocol, 'PING on a stream')
    if (end - start !== 8) return this.fail(ERROR.frameSize, 'PING of a wrong size')
    if (!this.countControl() || (flags & FLAG.ack) !== 0) return
    this.frameHeader(8, FRAME.ping, FLAG.ack, 0)
    this.output.raw(bytes.subarray(start, end))
    this.onOutput()
  }

  private onPriority(bytes: Uint8Array, start: number, end: number, id: number): void {
    if (id === 0) return this.fail(ERROR.protocol, 'PRIORITY without a stream')
    if (end - start !== 5) return this.fail(ERROR.frameSize, 'PRIORITY of a wrong size')
    if ((uint32(bytes, start) & WINDOW_MAX) === id) return this.fail(ERROR.protocol, 'a stream cannot depend on itself')
    this.countControl()
  }

  private onWindowUpdate(bytes: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== 4) return this.fail(ERROR.frameSize, 'WINDOW_UPDATE of a wrong size')
    if (!this.countControl()) return
    const increment = uint32(bytes, start) & WINDOW_MAX
    if (id === 0) {
      if (increment === 0) return this.fail(ERROR.protocol, 'WINDOW_UPDATE of nothing')
      this.sendWindow += increment
      if (this.sendWindow > WINDOW_MAX) return this.fail(ERROR.flowControl, 'window over 2^31 - 1')
      return this.pumpWaiting()
    }
    if (id > this.lastStreamId || (id & 1) === 0) return this.fail(ERROR.protocol, 'WINDOW_UPDATE on a stream that is not open')
    const stream = this.streams.get(id)
    if (stream === undefined) return
    if (increment === 0) return this.resetFor(stream, ERROR.protocol)
    stream.sendWindow += increment
    if (stream.sendWindow > WINDOW_MAX) return this.resetFor(stream, ERROR.flowControl)
    if (stream.queuedBytes > 0) this.pump(stream)
  }

  // ------------------------------------------------------------------------------------------------ frames out

  private greet(): void {
    const { output, limits } = this
    const settings = [
      [SETTING.maxConcurrentStreams, limits.streamsMax],
      [SETTING.initialWindowSize, limits.streamWindowBytes],
      [SETTING.maxHeaderListSize, limits.headerListBytesMax],
    ] as const
    this.frameHeader(settings.length * 6, FRAME.settings, 0, 0)
    for (const [setting, value] of settings) {
      output.byte(0)
      output.byte(setting)
      output.uint32(value)
    }
    this.writeWindowUpdate(0, limits.connectionWindowBytes - WINDOW_DEFAULT)
  }

  /** A header block is split into frames that the peer takes (section 6.10). */
  private headers(stream: Http2Stream<Owner>, fields: readonly HeaderField[], flags: number): void {
    const { output } = this
    const mark = this.beginData()
    this.encoder.encode(output, fields)
    const length = output.at - mark - FRAME_HEADER_BYTES
    if (length <= FRAME_BYTES_DEFAULT) this.patchHeader(mark, length, FRAME.headers, flags | FLAG.endHeaders, stream.id)
    else {
      const block = output.bytes.slice(mark + FRAME_HEADER_BYTES, output.at)
      output.rewind(mark)
      for (let at = 0; at < block.length; at += FRAME_BYTES_DEFAULT) {
        const part = block.subarray(at, at + FRAME_BYTES_DEFAULT)
        const isLast = at + part.length === block.length
        const type = at === 0 ? FRAME.headers : FRAME.continuation
        this.frameHeader(part.length, type, (at === 0 ? flags : 0) | (isLast ? FLAG.endHeaders : 0), stream.id)
        output.raw(part)
      }
    }
    this.onOutput()
  }

  private finish(stream: Http2Stream<Owner>, fields: readonly HeaderField[]): void {
    stream.trailers = null
    stream.isLocalClosed = true
    this.headers(stream, fields, FLAG.endStream)
    // Section 8.1: the answer is complete, the rest of the request is of no interest.
    if (!stream.isRemoteClosed) this.writeReset(stream.id, ERROR.none)
    this.remove(stream)
  }

  /** Sends of this stream's queue what the windows allow. */
  private pump(stream: Http2Stream<Owner>): void {
    while (stream.queuedBytes > 0) if (!this.sendOne(stream)) return
  }

  /** Each stream that waits for the connection's window sends one frame a turn. */
  private pumpWaiting(): void {
    while (this.waiting.size > 0) {
      for (const stream of this.waiting) {
        if (this.isFailed || this.isCongested || this.sendWindow <= 0 || this.outputBytes >= OUTPUT_HIGH_BYTES) return
        this.waiting.delete(stream)
        // Re-inserting puts it behind the others.
        if (this.sendOne(stream) && stream.queuedBytes > 0) this.waiting.add(stream)
      }
    }
  }

  /** One frame from the queue. @returns false if nothing may be sent now */
  private sendOne(stream: Http2Stream<Owner>): boolean {
    const first = stream.queue[0]
    if (first === undefined || stream.sendWindow <= 0) return false
    if (this.isCongested || this.sendWindow <= 0 || this.outputBytes >= OUTPUT_HIGH_BYTES) {
      this.waiting.add(stream)
      return false
    }
    const length = Math.min(first.length, stream.sendWindow, this.sendWindow, FRAME_BYTES_DEFAULT)
    this.frameHeader(length, FRAME.data, 0, stream.id)
    this.data(first.subarray(0, length))
    if (length === first.length) stream.queue.shift()
    else stream.queue[0] = first.subarray(length)
    stream.sendWindow -= length
    this.sendWindow -= length
    stream.queuedBytes -= length
    this.queuedBytes -= length
    this.controls.allow(2)
    this.onOutput()
    if (stream.feed !== null && stream.queuedBytes === 0) this.refill(stream)
    if (stream.queuedBytes === 0 && stream.trailers !== null) this.finish(stream, stream.trailers)
    else if (stream.isSenderWaiting && stream.queuedBytes < STREAM_LOW_BYTES) {
      stream.isSenderWaiting = false
      this.listener.drained(stream)
    }
    return true
  }

  private remove(stream: Http2Stream<Owner>): void {
    stream.isLocalClosed = true
    this.queuedBytes -= stream.queuedBytes
    stream.queuedBytes = 0
    stream.queue = []
    this.endFeed(stream)
    this.streams.delete(stream.id)
    this.waiting.delete(stream)
  }

  private resetFor(stream: Http2Stream<Owner>, code: number): void {
    // A peer that makes us reset costs as much as one that resets.
    if (this.countReset()) this.reset(stream, code)
  }

  private countReset(): boolean {
    if (this.resets.take(this.now)) return true
    this.fail(ERROR.enhanceYourCalm, 'too many resets')
    return false
  }

  private countControl(): boolean {
    if (this.controls.take(this.now)) return true
    this.fail(ERROR.enhanceYourCalm, 'too many control frames')
    return false
  }

  private fail(code: number, reason: string): void {
    if (this.isFailed) return
    this.goAway(code, reason)
    this.isFailed = true
    this.failure = reason
    this.failureCode = code
    this.closed()
  }

  private goAway(code: number, reason: string): void {
    this.frameHeader(8 + reason.length, FRAME.goAway, 0, 0)
    this.output.uint32(this.lastStreamId)
    this.output.uint32(code)
    this.output.byteString(reason)
    this.onOutput()
  }

  private writeReset(id: number, code: number): void {
    this.frameHeader(4, FRAME.resetStream, 0, id)
    this.output.uint32(code)
    this.onOutput()
  }

  private writeWindowUpdate(id: number, increment: number): void {
    this.frameHeader(4, FRAME.windowUpdate, 0, id)
    this.output.uint32(increment)
    this.onOutput()
  }

  /** Bytes that are never changed again. */
  private data(bytes: Uint8Array): void {
    if (bytes.length < WHOLE_BYTES_MIN) return this.output.raw(bytes)
    this.partBytes += this.output.length + bytes.length
    this.parts.push(this.output.take(), bytes)
  }

  private frameHeader(length: number, type: number, flags: number, id: number): void {
    this.patchHeader(this.beginData(), length, type, flags, id)
  }

  private patchHeader(at: number, length: number, type: number, flags: number, id: number): void {
    const { bytes } = this.output
    bytes[at] = length >>> 16
    bytes[at + 1] = length >>> 8
    bytes[at + 2] = length
    bytes[at + 3] = type
    bytes[at + 4] = flags
    bytes[at + 5] = id >>> 24
    bytes[at + 6] = id >>> 16
    bytes[at + 7] = id >>> 8
    bytes[at + 8] = id
  }
}

const lengthAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)

const uint32 = (bytes: Uint8Array, at: number): number =>
  (((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0
