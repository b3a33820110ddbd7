"""The first call that somebody makes: to the sandbox, with a picture in it, so that there is something to look at."""

from __future__ import annotations

# A PNG of 96 x 64 px, small enough to be pasted: a path to the hills.
SAMPLE_PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAGAAAABABAMAAAAXGm89AAAAElBMVEX60lqy0OK+oG54oFpugoJabnhy5yZsAAABW0lEQVR42u2W"
    "0Y3DIAyGf4wHCBtENwFSFkC6/VeoukGYoNxDLy0GuwlVc0/HQ6Bpvvi3YxtcwNgg/AMnAHzgmZIRRiyUDKwDQMlARewDWUwnRKk0"
    "8+ct5Gbx56mRBgHmQSD1JqZmQU0m8pCFpHjhmpnaVOcBC0kN1CR9oa6WWhNuAvCsIOq/gTAR70RQSpS1qvUegAuqD0n73BGL5TRr"
    "jcHfRalA0jIqAvBRBVjrPb66tkDSkjaKSQCstbfNXyGK9DpIQorvANY6aPXepQX6QkvS1ygB1pq0cPXpBlmV/C1/+hrgl/2oEeUW"
    "4Mvs2codMlpT9/xWowTML1pwPcIvcNDAVqVsGriAZkUUke3xTRNFsyHoZojiS3/bbS3lOnf/ZLKc04fTYuQeK0VWIMvA9XHZPTqs"
    "VbjWwS2rHN/jypubYh4FymEgv7tP59PPfOUgUExN5x2wdgAzqvgBcis6XlCYhagAAAAASUVORK5CYII="
)


def curl_lines(base: str, key: str) -> list[str]:
    """A call to the sandbox that works as pasted."""
    body = (
        '{"model": "@sandbox/vision", "messages": [{"role": "user", "content": ['
        '{"type": "text", "text": "What is in this picture?"}, '
        f'{{"type": "image_url", "image_url": {{"url": "data:image/png;base64,{SAMPLE_PICTURE}"}}}}]}}]}}'
    )
    return [
        f"curl {base}/v1/chat/completions \\",
        f'  -H "x-portkey-api-key: {key}" -H "content-type: application/json" \\',
        f"  -d '{body}'",
    ]
