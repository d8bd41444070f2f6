import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** Stands between a client and a server, and can misbehave as a network does. */
export class TcpProxy {
  /** Where connections lead that are made from now on. */
  target: number
  readonly #server: Server
  #pairs: { readonly near: Socket; readonly far: Socket }[] = []

  private constructor(target: number) {
    this.target = target
    this.#server = createServer((near) => this.#join(near))
  }

  /** To a port of 127.0.0.1. */
  static async to(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** The same address as `url`, through the proxy. */
  url(url: string): string {
    const through = new URL(url)
    through.port = String(this.port)
    return through.href
  }

  /** All connections of now become half open: nothing gets through any more, and nobody is told. */
  freeze(): void {
    for (const { near, far } of this.#pairs) {
      near.unpipe(far)
      far.unpipe(near)
      near.pause()
      far.pause()
    }
  }

  async close(): Promise<void> {
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(near: Socket): void {
    const far = connect(this.target, '127.0.0.1')
    const pair = { near, far }
    this.#pairs.push(pair)
    near.pipe(far).pipe(near)
    const end = () => {
      near.destroy()
      far.destroy()
      this.#pairs = this.#pairs.filter((other) => other !== pair)
    }
    for (const socket of [near, far]) socket.on('error', end).on('close', end)
  }
}
