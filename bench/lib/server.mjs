// The page, the package and its peers on loopback.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import path from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves `folders` (`{ "/prefix/": folder }`); resolves with the address and `close`. */
export async function serve(folders) {
  const server = createServer(async (request, response) => {
    const file = locate(folders, new URL(request.url, "http://localhost").pathname);
    const body = file && (await readFile(file).catch(() => undefined));
    response.writeHead(body === undefined ? 404 : 200, {
      "Content-Type": TYPES[path.extname(file ?? "")] ?? "application/octet-stream",
      // Isolated pages get a clock of 5 µs; others one of 100 µs.
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The file behind a path; nothing outside of the folders. */
export function locate(folders, pathname) {
  for (const [prefix, folder] of Object.entries(folders)) {
    if (!pathname.startsWith(prefix)) continue;
    const file = path.join(folder, pathname.slice(prefix.length));
    return file.startsWith(path.join(folder, path.sep)) ? file : undefined;
  }
  return undefined;
}
