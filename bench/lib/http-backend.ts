import { createServer } from 'node:net'

/** A backend that costs next to nothing: answers every request head at once. Prints its port; ends with its standard input. */
const BODY = 'hello from the backend\n'
const ANSWER = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`)

const server = createServer({ noDelay: true }, (socket) => {
  let matched = 0
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: Buffer) => {
    let answers = 0
    for (const byte of chunk) {
      matched = byte === (matched % 2 === 0 ? 13 : 10) ? matched + 1 : byte === 13 ? 1 : 0
      if (matched === 4) {
        answers += 1
        matched = 0
      }
    }
    if (answers > 0) socket.write(answers === 1 ? ANSWER : Buffer.concat(Array.from({ length: answers }, () => ANSWER)))
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${address !== null && typeof address === 'object' ? address.port : 0}\n`)
})
process.stdin.resume().on('end', () => process.exit(0))
