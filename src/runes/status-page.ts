export const STATUS_PAGE = `<!doctype html><title>VIVER</title>`;
