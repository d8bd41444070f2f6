import fc from 'fast-check'
import { expect, it } from 'vitest'
import { commentedQuery, statementComment } from '../../src/databases/statement-comment.js'

it('names the update, and no name can end the comment or open another', () => {
  expect(statementComment('fill users')).toBe('/*evenkeel:fill users*/')
  expect(statementComment('*/ DROP TABLE t /*')).toBe('/*evenkeel:__ DROP TABLE t __*/')
  expect(statementComment('Ü\n\0')).toBe('/*evenkeel:___*/')
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      const comment = statementComment(name)
      expect(comment.slice(2, -2)).not.toMatch(/\*|\//)
      expect(comment).toMatch(/^[\x20-\x7e]+$/)
    }),
  )
})

it('stands behind the statement, on a line of its own where that ends with a comment, and on PostgreSQL only', async () => {
  const sent: string[] = []
  const query = async (text: string) => {
    sent.push(text)
    return { rows: [], rowCount: 0 }
  }
  await commentedQuery(query, 'u', 'postgres')('SELECT 1')
  await commentedQuery(query, 'u', 'postgres')('SELECT 1 -- one')
  await commentedQuery(query, 'u', 'sqlite')('SELECT 1')
  expect(sent).toEqual(['SELECT 1 /*evenkeel:u*/', 'SELECT 1 -- one\n/*evenkeel:u*/', 'SELECT 1'])
})
