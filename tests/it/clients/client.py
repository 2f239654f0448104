"""A Python client of the kind people have: requests, streamed in pieces of 8 KiB.

Usage: client.py BASE POST_ADDRESS FILE
"""
import sys

import requests

base, post, path = sys.argv[1:]

response = requests.post(f"{base}/tiktok", json={"url": post})
data = response.json()
if data["code"] != 0:
    sys.exit(data["message"])

stream_data = data["data"]["video_data"][0]["streamData"]

with requests.get(f"{base}/stream?data={stream_data}", stream=True) as stream:
    stream.raise_for_status()
    with open(path, "wb") as file:
        for chunk in stream.iter_content(chunk_size=8192):
            if chunk:
                file.write(chunk)
