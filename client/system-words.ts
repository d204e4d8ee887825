/** Lives here: system errors in words, as strerror has them. Does not know: what failed. */

/** The words for the errors that a connection fails with, by the error's name. */
export const systemWords: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory', ECONNREFUSED: 'Connection refused', EACCES: 'Permission denied',
  ECONNRESET: 'Connection reset by peer', EHOSTUNREACH: 'No route to host', ENOTFOUND: 'Name or service not known',
};
