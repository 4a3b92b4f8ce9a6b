import { expect, test } from 'vitest'
import { parseClickHouse, urlsOf } from '../../../../src/server/scuba/clickhouse/settings.ts'

test('several servers are told with commas between them, in an order that stays, also where a password has a comma', () => {
  const text = 'http://u:a,b@one:8123/events,https://two:8443/events'
  expect(urlsOf(parseClickHouse(text))).toEqual(['http://u:a,b@one:8123/events', 'https://two:8443/events'])
})

test('what is no URL of a database, or names one twice, is refused before anything is started', () => {
  for (const text of ['one:8123', 'http://one/a b', 'http://one/events,two', 'http://one/events,http://u:p@one/events'])
    expect(() => parseClickHouse(text), text).toThrow(expect.objectContaining({ code: 'USAGE' }))
})
