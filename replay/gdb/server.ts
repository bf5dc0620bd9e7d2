/**
 * The stub on a TCP port of this host, for one gdb after another; and on stdin and stdout, for the gdb that has started us.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { Connection } from './connection.js';
import type { Stub } from './stub.js';

const LOOPBACK = '127.0.0.1';

export interface PortServer {
  readonly port: number;
  /** Ends connections, too. */
  close(): void;
}

/** Listens; port 0 takes a free one. Only this host can connect. A gdb that comes while there is another waits for its turn. */
export async function serveOnPort(stub: Stub, port: number, onDefect: (error: unknown) => void): Promise<PortServer> {
  let turn = Promise.resolve();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.pause();
    socket.setNoDelay(true);
    // What goes wrong with a connection ends it: `close` follows.
    socket.on('error', () => {});
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    turn = turn.then(() => serveSocket(stub, socket, onDefect));
  });
  await listening(server, port);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroySoon();
  };
  return { port: address.port, close };
}

async function serveSocket(stub: Stub, socket: Socket, onDefect: (error: unknown) => void): Promise<void> {
  if (socket.destroyed) return;
  const connection = new Connection({ write: (bytes) => socket.write(bytes), close: () => socket.end() }, stub, onDefect);
  socket.on('data', (bytes) => connection.received(bytes));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  await closed;
  await connection.closed();
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: LOOPBACK, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Serves until the other side closes, or gdb detaches or kills. */
export async function serveOnStreams(stub: Stub, input: Readable, output: Writable, onDefect: (error: unknown) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const connection = new Connection({ write: (bytes) => output.write(bytes), close: resolve }, stub, onDefect);
    input.on('data', (bytes: Uint8Array) => connection.received(bytes));
    output.on('error', () => resolve());
    input.on('error', () => resolve());
    input.on('end', () => {
      void connection.closed().then(resolve);
    });
  });
  input.pause();
}
