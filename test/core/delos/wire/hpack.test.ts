import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteString, bytesOf } from '../../../../src/core/kernel/protobuf/byte-string.ts'
import { ByteWriter } from '../../../../src/core/kernel/protobuf/byte-writer.ts'
import { HpackDecoder } from '../../../../src/core/delos/wire/hpack/decoder.ts'
import { HpackEncoder, type HeaderField } from '../../../../src/core/delos/wire/hpack/encoder.ts'
import { huffmanBytes, huffmanDecode, huffmanEncode } from '../../../../src/core/delos/wire/hpack/huffman.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const decoderOf = (tableBytesMax = 4096, listBytesMax = 65_536) => new HpackDecoder(tableBytesMax, listBytesMax, (fields) => [...fields])
const decodeHex = (decoder: HpackDecoder<string[]>, text: string): string[] | null => {
  const bytes = hex(text)
  return decoder.decode(bytes, 0, bytes.length)
}

const DATE_1 = 'Mon, 21 Oct 2013 20:13:21 GMT'
const DATE_2 = 'Mon, 21 Oct 2013 20:13:22 GMT'
const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'
const SITE = 'https://www.example.com'
const REQUESTS = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com', 'cache-control', 'no-cache'],
  [':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com', 'custom-key', 'custom-value'],
]
const RESPONSES = [
  [':status', '302', 'cache-control', 'private', 'date', DATE_1, 'location', SITE],
  [':status', '307', 'cache-control', 'private', 'date', DATE_1, 'location', SITE],
  [':status', '200', 'cache-control', 'private', 'date', DATE_2, 'location', SITE, 'content-encoding', 'gzip', 'set-cookie', COOKIE],
]

describe('the examples of RFC 7541, appendix C', () => {
  test('C.2: single fields', () => {
    expect(decodeHex(decoderOf(), '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572')).toEqual([
      'custom-key',
      'custom-header',
    ])
    expect(decodeHex(decoderOf(), '040c 2f73 616d 706c 652f 7061 7468')).toEqual([':path', '/sample/path'])
    expect(decodeHex(decoderOf(), '1008 7061 7373 776f 7264 0673 6563 7265 74')).toEqual(['password', 'secret'])
    expect(decodeHex(decoderOf(), '82')).toEqual([':method', 'GET'])
  })

  test.each([
    [
      'C.3: requests without Huffman coding',
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        '8286 84be 5808 6e6f 2d63 6163 6865',
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
      ],
    ],
    [
      'C.4: requests with Huffman coding',
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        '8286 84be 5886 a8eb 1064 9cbf',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ],
  ])('%s', (_name, blocks) => {
    const decoder = decoderOf()
    expect(blocks.map((block) => decodeHex(decoder, block))).toEqual(REQUESTS)
  })

  test.each([
    [
      'C.5: responses without Huffman coding, in a table of 256 bytes',
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32
         3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
        '4803 3330 37c1 c0bf',
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a
         4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
      ],
    ],
    [
      'C.6: responses with Huffman coding, in a table of 256 bytes',
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae
         82ae 43d3`,
        '4883 640e ffc1 c0bf',
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960
         d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
      ],
    ],
  ])('%s', (_name, blocks) => {
    const decoder = decoderOf(256)
    expect(blocks.map((block) => decodeHex(decoder, block))).toEqual(RESPONSES)
  })

  test('C.4 and C.6: our Huffman code gives their bytes', () => {
    for (const [text, code] of [
      ['www.example.com', 'f1e3 c2e5 f23a 6ba0 ab90 f4ff'],
      ['no-cache', 'a8eb 1064 9cbf'],
      ['custom-key', '25a8 49e9 5ba9 7d7f'],
      [DATE_1, 'd07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff'],
      [COOKIE, '94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07'],
    ] as const) {
      const writer = new ByteWriter(16)
      huffmanEncode(writer, text)
      expect(Buffer.from(writer.take()).toString('hex')).toBe(code.replaceAll(' ', ''))
    }
  })
})

describe('Huffman coding', () => {
  test('every text comes back as it was', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = byteString(bytes)
        const writer = new ByteWriter(16)
        huffmanEncode(writer, text)
        const code = writer.take()
        expect(code.length).toBe(huffmanBytes(text))
        expect(huffmanDecode(code, 0, code.length)).toBe(text)
      }),
    )
  })

  test('padding of a whole byte, of zeros, or the end of string inside is refused', () => {
    for (const bad of ['1fff', '18', 'ffff ffff']) {
      const bytes = hex(bad)
      expect(huffmanDecode(bytes, 0, bytes.length), bad).toBeNull()
    }
    // 'a' is 00011, then three ones.
    expect(huffmanDecode(hex('1f'), 0, 1)).toBe('a')
  })
})

describe('the decoder', () => {
  test('refuses what the RFC forbids', () => {
    for (const [bad, why] of [
      ['80', 'index 0'],
      ['be', 'index behind the table'],
      ['ff ff ff ff ff ff 01', 'an integer without end'],
      ['40 05 61', 'a string longer than the block'],
      ['3f e1 1f 3f e2 1f', 'a table larger than allowed'],
      ['82 20', 'a change of the table size after a field'],
      ['40', 'a name that is missing'],
      ['00 01 61', 'a value that is missing'],
    ] as const) {
      const decoder = decoderOf()
      expect(decodeHex(decoder, bad), why).toBeNull()
      expect(decoder.fault, why).toBe('invalid')
    }
  })

  test('refuses a list that grows far beyond its block', () => {
    // One entry of 4,000 bytes in the table, then 20 references to it.
    const value = 'x'.repeat(4000)
    const writer = new ByteWriter(64)
    new HpackEncoder().encode(writer, [{ name: 'x-bomb', value, isKept: true }])
    const bomb = Uint8Array.from([...writer.take(), ...Array.from({ length: 20 }, () => 0xbe)])
    const decoder = decoderOf()
    expect(decoder.decode(bomb, 0, bomb.length)).toBeNull()
    expect(decoder.fault).toBe('too large')
  })

  test('a block that it remembers is not used once the table has changed', () => {
    const decoder = decoderOf()
    expect(decodeHex(decoder, '4001 6101 31')).toEqual(['a', '1'])
    expect(decodeHex(decoder, 'be')).toEqual(['a', '1'])
    expect(decodeHex(decoder, 'be')).toEqual(['a', '1'])
    expect(decodeHex(decoder, '4001 6201 32')).toEqual(['b', '2'])
    expect(decodeHex(decoder, 'be')).toEqual(['b', '2'])
    expect(decodeHex(decoder, 'bf')).toEqual(['a', '1'])
  })

  test('an equal block costs no decoding', () => {
    let interpreted = 0
    const decoder = new HpackDecoder(4096, 65_536, () => {
      interpreted += 1
      return interpreted
    })
    const block = hex('8286 84')
    for (let i = 0; i < 10; i += 1) expect(decoder.decode(block, 0, block.length)).toBe(1)
    expect(interpreted).toBe(1)
  })

  test('any bytes are a list or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (blocks) => {
        const decoder = decoderOf(200)
        for (const block of blocks) if (decoder.decode(block, 0, block.length) === null) return
      }),
      { numRuns: 3000 },
    )
  })
})

describe('the encoder', () => {
  const field = fc.record({
    name: fc.constantFrom('grpc-status', 'content-type', ':status', 'x-long-name', 'a'),
    value: fc.oneof(
      fc.constantFrom('0', '200', 'application/grpc'),
      fc.uint8Array({ maxLength: 80 }).map((bytes) => byteString(bytes)),
    ),
    isKept: fc.boolean(),
  })

  test('a peer reads every block, whatever table sizes it asks for in between', () => {
    const step = fc.oneof(fc.array(field, { maxLength: 6 }), fc.constantFrom(0, 40, 100, 4096, 1_000_000))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const encoder = new HpackEncoder()
        const decoder = decoderOf()
        const sent: (readonly HeaderField[])[] = []
        for (const one of steps) {
          if (typeof one === 'number') encoder.setTableBytesMax(one)
          else {
            sent.push(one)
            // Again what was sent before, from its memory.
            for (const fields of [one, sent[0] as readonly HeaderField[], one]) {
              const writer = new ByteWriter(16)
              encoder.encode(writer, fields)
              const bytes = writer.take()
              expect(decoder.decode(bytes, 0, bytes.length)).toEqual(fields.flatMap(({ name, value }) => [name, value]))
            }
          }
        }
      }),
    )
  })

  test('fields that are sent again and again are one byte each', () => {
    const encoder = new HpackEncoder()
    const fields = [{ name: 'grpc-status', value: '0', isKept: true }]
    const sizes = [1, 2, 3].map(() => {
      const writer = new ByteWriter(16)
      encoder.encode(writer, fields)
      return writer.length
    })
    expect(sizes[0]).toBeGreaterThan(1)
    expect(sizes.slice(1)).toEqual([1, 1])
  })

  test('a byte string and its bytes are the same thing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(bytesOf(byteString(bytes))).toEqual(bytes)
      }),
    )
  })
})
